// The commands of the program, one file each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proxy/cli/snapshot_format.h"
#include "proxy/config/flags.h"
#include "proxy/config/options.h"

namespace ipvsproxy::cli {

/// What the command line said, for whichever command.
struct Invocation {
    config::Flags flags;
    std::vector<std::string> files; ///< -f, in order; "-" is standard input
    bool recursive{};               ///< -R
    Output output{Output::text};    ///< -o
    std::string snapshot_file;      ///< diff --snapshot
    std::string shell;              ///< completion SHELL
    bool dry_run{};                 ///< cleanup --dry-run
};

/// Exit codes, as kubectl's: `diff` alone tells a difference (1) from an error (2).
inline constexpr int exit_success = 0, exit_failure = 1, exit_differs = 1, exit_trouble = 2;

/// Each prints results to standard output and everything else to standard error, and returns the
/// exit code. @throws std::exception: the caller prints it and fails.
int run(const Invocation& call);
int apply(const Invocation& call);
int diff(const Invocation& call);
int plan(const Invocation& call);
int snapshot(const Invocation& call);
int cleanup(const Invocation& call);
int check(const Invocation& call);
int version(const Invocation& call);

/// The program under kube-proxy's name, or without a command: its command line, its texts and its
/// exit codes. Catches what run() throws.
/// @param name of the program, for the usage. @param words what stands behind it.
int kube_proxy(const std::string& name, const std::vector<std::string>& words);

/// The daemon, or what its flags ask for in its place (--write-config-to, --cleanup, --init-only).
int run(const config::Options& options, const Invocation& call);
/// What `cleanup` and --cleanup do once options are settled.
int clean_node(bool dry_run);

/// `ipvsproxy 0.1.0 (in place of kube-proxy v1.36.2)`
std::string version_line();

} // namespace ipvsproxy::cli

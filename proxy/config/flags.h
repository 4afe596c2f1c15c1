// The command line's flags, kube-proxy's and our own, and what they come to together with a file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/config/load.h"
#include "proxy/config/options.h"

namespace CLI { // NOLINT(readability-identifier-naming): its own name
class App;
}

namespace ipvsproxy::config {

/// What stands on the command line: the values of each flag in their order, by its name without
/// dashes; empty for a flag that is not given. add_flags() fills it when the App parses.
struct Flags {
    std::map<std::string, std::vector<std::string>, std::less<>> given{};

    bool has(std::string_view name) const;
    /// The last value; empty when the flag is not given.
    std::string last(std::string_view name) const;
    /// Given, and not as "=false".
    bool is_on(std::string_view name) const;
};

/// Adds every flag to `app`, each checked while parsing: an address, a number or a duration that is
/// none is a CLI::ValidationError. @param flags must outlive the parsing and not move.
void add_flags(CLI::App& app, Flags& flags);
/// The same without those that have something else done (is_task()): for commands that say so.
void add_shared_flags(CLI::App& app, Flags& flags);

/// The arguments behind the program's name, reversed as CLI::App::parse(std::vector) takes them,
/// and read as kube-proxy does: `--cluster_cidr` is `--cluster-cidr`, `-v=4` is `-v 4`, `--flag=`
/// gives an empty value.
std::vector<std::string> arguments(int count, const char* const* values);

/// All flags with their values as Go prints them (the default where not given), by name, for the
/// log and /flagz.
std::vector<std::pair<std::string, std::string>> flag_values(const Flags& flags);

/// File (--config), flags and defaults merged and validated. Of the host it reads that file and
/// its own name (uname). @return the reason as kube-proxy words it, "failed complete: …",
/// "initialize logging: …" or "failed validate: …".
Result<Options> complete(const Flags& flags);

/// The same without I/O. @param file of --config, when that is given.
Result<Options> complete(const Flags& flags, const std::optional<Loaded>& file,
                         std::string_view host_name);

/// The two steps of complete(), for whoever has something to do between them, such as to set up the
/// log. merge() leaves `parsed` as it is by default, and refuses feature gates and settings of the
/// log that cannot be; judge() says what else is wrong, or parses.
Result<Options> merge(const Flags& flags);
Result<Options> merge(const Flags& flags, const std::optional<Loaded>& file,
                      std::string_view host_name);
std::optional<Problem> judge(Options& options);

} // namespace ipvsproxy::config

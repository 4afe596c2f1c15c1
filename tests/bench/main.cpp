// The measuring program: run by tests/bench/run in a guest, as root.
#include <sys/prctl.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <set>
#include <stdexcept>

#include "tests/bench/child.h"
#include "tests/bench/scenarios.h"
#include "tests/kernel/namespace.h"
#include "tests/kernel/process.h"

using namespace ipvsproxy;

namespace {

/// A node's namespace. It is left behind when it is done with: to take a large one down costs the
/// kernel much, and in the background of what is measured next.
void enter_node() {
    static std::vector<std::unique_ptr<kernel_test::Namespace>> left_behind;
    left_behind.push_back(std::make_unique<kernel_test::Namespace>());
    kernel_test::must_run({"ip", "link", "add", "eth0", "type", "dummy"});
    kernel_test::must_run({"ip", "address", "add", "192.168.10.11/24", "dev", "eth0"});
    kernel_test::must_run({"ip", "link", "set", "eth0", "up"});
}

struct Arguments {
    std::vector<std::string> shapes{"1000x5"};
    std::set<std::string> parts{"phases", "api",   "latency", "mh",
                                "floor",  "tools", "program", "list"};
    std::string program;
    unsigned idle_seconds{};
    std::size_t tools_limit{1000};
    std::vector<std::string> flags;
};

/// Rules by libiptc, since user-mode Linux has no other way.
config::Flags flags(const Arguments& arguments) {
    config::Flags flags{.given = {{"hostname-override", {std::string{bench::node_name}}},
                                  {"conntrack-max-per-core", {"0"}},
                                  {"iptables-backend", {"legacy"}}}};
    for (const auto& flag : arguments.flags) {
        const auto equals = flag.find('=');
        if (equals == std::string::npos) throw std::invalid_argument{"--flag NAME=VALUE: " + flag};
        flags.given[flag.substr(0, equals)] = {flag.substr(equals + 1)};
    }
    return flags;
}

void measure(const bench::Setting& setting, const Arguments& arguments) {
    const auto wanted = [&](const char* part) { return arguments.parts.contains(part); };
    if (wanted("floor")) {
        enter_node();
        bench::in_child([&] { bench::run_floor(setting); });
    }
    if (wanted("phases")) {
        enter_node();
        bench::run_phases(setting);
    }
    if (wanted("api")) {
        enter_node();
        bench::run_api(setting);
    }
    if (wanted("latency")) {
        enter_node();
        bench::run_latency(setting);
    }
    if (wanted("mh")) {
        enter_node();
        bench::in_child([&] { bench::run_mh(setting); });
    }
    if (wanted("program") && !setting.program.empty()) {
        enter_node();
        bench::run_program(setting);
    }
    if (wanted("tools") && setting.shape.services <= arguments.tools_limit) {
        enter_node();
        bench::in_child([&] { bench::run_tools(setting); });
    }
    if (wanted("list")) bench::run_list(setting);
}

void write_workload(const bench::Setting& setting) {
    std::ofstream out{setting.manifest, std::ios::binary | std::ios::trunc};
    bench::write_manifest(setting.shape, [&](std::string_view part) { out << part; });
}

/// The first to ask the kernel pays for the modules it loads.
void load_modules(bench::Setting setting) {
    setting.shape = {1, 1};
    write_workload(setting);
    enter_node();
    bench::in_child([&] {
        if (std::freopen("/dev/null", "w", stdout) == nullptr)
            throw std::runtime_error{"no /dev/null"};
        bench::run_phases(setting);
    });
}

void measure_all(const Arguments& arguments) {
    const std::string folder = "/run/bench";
    ::mkdir(folder.c_str(), 0700);
    bench::Setting setting{.shape = {},
                           .folder = folder,
                           .manifest = folder + "/manifest.json",
                           .program = arguments.program,
                           .flags = flags(arguments),
                           .idle_seconds = arguments.idle_seconds};
    load_modules(setting);
    for (const auto& text : arguments.shapes) {
        setting.shape = bench::Shape::parse(text);
        write_workload(setting);
        measure(setting, arguments);
    }
}

int run(int count, const char* const* values) {
    CLI::App app{"Measures ipvsproxy on this machine's kernel, in network namespaces of its own"};
    Arguments arguments;
    app.add_option("shapes", arguments.shapes, "SERVICESxENDPOINTS, one after the other");
    app.add_option("--parts", arguments.parts,
                   "phases, api, latency, mh, floor, tools, program, list")
        ->delimiter(',')
        ->check(CLI::IsMember(arguments.parts));
    app.add_option("--program", arguments.program, "Path of ipvsproxy, for --parts program");
    app.add_option("--flag", arguments.flags, "NAME=VALUE of ipvsproxy's own, without dashes")
        ->allow_extra_args(false);
    app.add_option("--idle", arguments.idle_seconds, "Seconds to watch the idle daemon");
    app.add_option("--tools-limit", arguments.tools_limit,
                   "The tools write no more services than this: they are slow");
    try {
        app.parse(count, values);
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    }
    // Huge pages round memory up by up to 2 MB a piece, depending on where the heap happens to
    // begin. Children inherit this, the program's processes too.
    if (::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) throw std::runtime_error{"huge pages stay"};
    measure_all(arguments);
    return 0;
}

} // namespace

int main(int count, char** values) {
    try {
        return run(count, values);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench: %s\n", error.what());
        return 1;
    }
}

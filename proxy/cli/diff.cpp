// ipvsproxy diff: what apply would change.
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>

#include "proxy/cli/command.h"
#include "proxy/cli/objects.h"
#include "proxy/cli/session.h"
#include "proxy/cli/terminal.h"
#include "proxy/plan/drain.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::cli {
namespace {

constexpr std::string_view green = "\x1b[32m", yellow = "\x1b[33m", red = "\x1b[31m",
                           bold = "\x1b[1m", plain = "\x1b[0m";

constexpr auto standard_input = "-"; // as -f has it

std::string all_of(std::istream& in) {
    return {std::istreambuf_iterator<char>{in}, {}};
}

plan::NodeSnapshot read_snapshot(const Invocation& call) {
    const auto& path = call.snapshot_file;
    if (path == standard_input) {
        if (std::ranges::find(call.files, standard_input) != call.files.end())
            throw std::runtime_error{"-f and --snapshot cannot both be standard input"};
        return parse_snapshot(all_of(std::cin));
    }
    std::ifstream in{path};
    if (!in) throw std::system_error{errno, std::generic_category(), "snapshot " + path};
    try {
        return parse_snapshot(all_of(in));
    } catch (const std::exception& error) {
        throw std::runtime_error{"snapshot " + path + ": " + error.what()};
    }
}

/// Colours a line by its sign.
std::string coloured(const std::string& text) {
    std::string out;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const auto end = std::min(text.find('\n', begin), text.size());
        std::string_view colour = plain;
        switch (text[begin]) {
        case '+':
            colour = green;
            break;
        case '~':
            colour = yellow;
            break;
        case '-':
            colour = red;
            break;
        case '#':
            colour = bold;
            break;
        default:
            break;
        }
        out.append(colour).append(text, begin, end - begin).append(plain).append("\n");
        begin = end + 1;
    }
    return out;
}

void print(const std::vector<plan::Line>& lines, const std::vector<plan::Line>& leaving,
           Output output) {
    if (output == Output::text) {
        const auto text = plan::text(lines);
        std::cout << (shows_colour() ? coloured(text) : text);
        for (const auto& line : leaving)
            std::cerr << "draining: " << line.command << "  # " << line.reason << '\n';
        return;
    }
    const boost::json::object all{{"differences", to_json(lines)}, {"draining", to_json(leaving)}};
    std::cout << (output == Output::json ? json_text(all) : yaml_text(all));
}

/// Adds what is switched otherwise in the kernel than the configuration asks for.
void add_switches(std::vector<plan::Line>& lines, const std::vector<sync::SwitchChange>& switches) {
    std::vector<plan::Line> first;
    first.reserve(switches.size());
    for (const auto& change : switches)
        first.push_back({plan::Sign::update, "sysctl", change.command, change.reason, ""});
    lines.insert(lines.begin(), first.begin(), first.end());
}

} // namespace

int diff(const Invocation& call) {
    const auto options = complete_options(call);
    auto input = read_objects(call, options);
    sync::require_pod_cidrs(options, input.store);
    std::unique_ptr<sync::RealKernel> kernel;
    plan::NodeSnapshot seen;
    if (call.snapshot_file.empty()) {
        kernel = sync::open_kernel(options);
        seen = sync::snapshot(kernel->tables());
    } else {
        seen = read_snapshot(call);
    }
    const auto cluster =
        kernel ? sync::make_cluster(options, input.store, kernel.get(), seen.device.elsewhere)
               : sync::make_cluster(options, input.store, seen.families, seen.device.elsewhere);
    cluster->state().observe(seen);
    auto changes = cluster->state().changes();
    // What keeps its connections while it leaves is no difference once its weight is 0.
    const auto leaving =
        plan::drain(changes.ipvs, seen.destinations, {}, std::chrono::steady_clock::now());
    auto lines = plan::describe(changes, cluster->state());
    if (kernel) add_switches(lines, sync::switch_changes(*kernel, options));
    warn_contests(*cluster);
    print(lines, plan::describe_leaving(leaving), call.output);
    if (input.in_error > 0) return exit_trouble;
    return lines.empty() ? exit_success : exit_differs;
}

} // namespace ipvsproxy::cli

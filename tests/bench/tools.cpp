// The same state by the tools that an operator has.
#include <fstream>
#include <map>
#include <stdexcept>

#include "proxy/plan/text.h"
#include "tests/bench/child.h"
#include "tests/bench/desired.h"
#include "tests/bench/meter.h"
#include "tests/bench/scenarios.h"

namespace ipvsproxy::bench {
namespace {

struct Tool {
    std::string program;
    std::vector<std::string> arguments;
};

/// In the order in which the program writes.
const std::vector<Tool> tools{{"ipset", {"restore"}}, {"ipvsadm", {"-R"}}, {"ip", {"-batch", "-"}}};

/// The changes as the input of each tool: its commands without its name.
std::map<std::string, std::string> inputs(Desired& desired) {
    std::map<std::string, std::string> texts;
    auto& state = desired.cluster->state();
    for (const auto& line : plan::describe(state.changes(), state)) {
        const auto space = line.command.find(' ');
        texts[line.command.substr(0, space)] += line.command.substr(space + 1) + '\n';
    }
    return texts;
}

} // namespace

void run_tools(const Setting& setting) {
    const auto shape = setting.shape.text();
    Desired desired{setting};
    const auto texts = inputs(desired);
    Cost whole;
    for (const auto& [program, arguments] : tools) {
        const auto file = setting.folder + "/tool-input";
        std::ofstream{file, std::ios::trunc} << texts.at(program);
        auto argv = arguments;
        argv.insert(argv.begin(), program);
        const auto usage = run_child(argv, file);
        if (usage.status != 0) throw std::runtime_error{program + " failed: " + usage.output};
        report(shape, "tools", program, usage.cost);
        whole += usage.cost;
    }
    report(shape, "tools", "whole", whole);
    require_written(desired);
}

} // namespace ipvsproxy::bench

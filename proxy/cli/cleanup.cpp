// ipvsproxy cleanup: takes out what a proxy made, and nothing else.
#include <boost/json.hpp>
#include <iostream>

#include "proxy/cli/command.h"
#include "proxy/cli/session.h"
#include "proxy/plan/cleanup.h"

namespace ipvsproxy::cli {
namespace {

std::string rule_words(const iptables::TableRefusal& refusal, Family family) {
    return std::string{family == Family::v4 ? "iptables" : "ip6tables"} + " table " +
           std::string{iptables::name(refusal.table)} + ": " + refusal.reason;
}

/// Everything that was refused, in words.
std::vector<std::string> refusals(const sync::Outcome& outcome) {
    std::vector<std::string> all;
    for (const auto& failure : outcome.failures)
        all.push_back(std::string{sync::name(failure.part)} + ": " + failure.reason);
    for (const auto& refusal : outcome.ipvs.services)
        all.push_back("virtual server " + refusal.key.text() + ": " + refusal.error.message());
    for (const auto& refusal : outcome.sets.refused)
        all.push_back("ipset " + refusal.key.set + ": " + refusal.error.message() +
                      "; a rule that is not the proxy's may still name it");
    for (const auto family : families)
        for (const auto& refusal : outcome.rules[family])
            all.push_back(rule_words(refusal, family));
    return all;
}

} // namespace

int cleanup(const Invocation& call) {
    const auto options = complete_options(call);
    // Both families and both variants of iptables, whichever are in use now: a proxy before us may
    // have chosen otherwise.
    std::size_t removed = 0;
    std::vector<std::string> refused;
    for (const auto& kernel : open_all_kernels(options)) {
        const auto seen = sync::snapshot(kernel->tables());
        const auto changes = plan::cleanup(seen);
        if (call.dry_run) {
            const plan::NodeState nobody{plan::Settings{}};
            std::cout << plan::text(plan::describe(changes, nobody));
            continue;
        }
        sync::Round round;
        round.changes = changes;
        const auto outcome = sync::apply(kernel->tables(), round);
        const auto told = refusals(outcome);
        removed += changes.size() - std::min(changes.size(), told.size());
        refused.insert(refused.end(), told.begin(), told.end());
    }
    for (const auto& line : refused)
        std::cerr << "refused: " << line << '\n';
    if (!call.dry_run)
        std::cout << removed << (removed == 1 ? " object" : " objects") << " removed, "
                  << refused.size() << " refused\n";
    return refused.empty() ? exit_success : exit_failure;
}

} // namespace ipvsproxy::cli

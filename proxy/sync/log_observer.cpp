#include "proxy/sync/log_observer.h"

#include "proxy/log/log.h"

namespace ipvsproxy::sync {
namespace {

/// Beyond it a heal is told in sum: a flushed table would otherwise fill the log.
constexpr std::size_t most_lines = 50;

std::string milliseconds(std::chrono::nanoseconds duration) {
    return std::to_string(static_cast<double>(duration / std::chrono::microseconds{1}) / 1000) +
           "ms";
}

} // namespace

void LogObserver::adopted(std::size_t differences) {
    log::info("Read the node's state", {{"differences", differences}});
    adopted_ = true;
    if (differences == 0) reach();
}

void LogObserver::reach() {
    if (!std::exchange(reached_, true)) log::info("The node is as the Services ask");
}

void LogObserver::drifted(Part part, const std::vector<plan::Line>& healing) {
    log::warning("Kernel state was changed by someone else, healing",
                 {{"part", name(part)}, {"changes", healing.size()}});
    for (std::size_t i = 0; i < std::min(healing.size(), most_lines); ++i) {
        const auto& line = healing[i];
        log::info("Healing",
                  {{"change", std::string{static_cast<char>(line.sign)} + ' ' + line.command},
                   {"reason", line.reason},
                   {"service", line.service}});
    }
}

void LogObserver::contested(const plan::Contest& contest) {
    log::error(
        "Two Services ask for one virtual server; the older one has it",
        {{"virtualServer", contest.key}, {"service", contest.winner}, {"refused", contest.loser}});
}

/// kube-proxy's levels: what is added or changed at 3, what goes at 4.
void LogObserver::written(const plan::NodeChanges& changes) {
    if (!log::enabled(3)) return;
    for (const auto& line : plan::describe(changes, plan::NodeState{plan::Settings{}}))
        log::verbose(line.sign == plan::Sign::remove ? 4 : 3, "Written",
                     {{"change", std::string{static_cast<char>(line.sign)} + ' ' + line.command}});
}

void LogObserver::settled(const Round& /*round*/, const Report& report,
                          std::chrono::nanoseconds duration) {
    for (const auto& refused : report.newly_refused)
        log::error(
            "The kernel refused a change; tried again later",
            {{"object", refused.object}, {"err", refused.cause}, {"remedy", refused.remedy}});
    const bool refused = report.held || !report.refused.empty();
    if (std::exchange(was_refused_, refused) && !refused) log::info("Nothing is refused any more");
    if (report.clean() && adopted_) reach();
    else if (report.clean())
        log::info("A node without a device: default/kubernetes is served before all else");
    for (const auto& [key, spec] : report.leaving)
        log::verbose(4, "A real server is draining", {{"realServer", key}});
    log::verbose(report.changes > 0 ? 2 : 4, "Synced",
                 {{"changes", report.changes},
                  {"refused", report.refused.size()},
                  {"draining", report.leaving.size()},
                  {"forgottenFlows", report.forgotten_flows},
                  {"elapsed", milliseconds(duration)}});
}

void LogObserver::unreadable(Part part, const std::string& reason) {
    if (std::exchange(unreadable_[part], reason) == reason) return;
    log::error("The kernel could not be asked; tried again later",
               {{"part", name(part)}, {"err", reason}});
}

void LogObserver::audited(std::chrono::nanoseconds work) {
    unreadable_.clear();
    log::verbose(4, "Audited the node's state", {{"work", milliseconds(work)}});
}

} // namespace ipvsproxy::sync

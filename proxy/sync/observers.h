// Several observers of one loop.
#pragma once

#include <vector>

#include "proxy/sync/daemon.h"

namespace ipvsproxy::sync {

/// Passes all it is told on to each, in the order in which they were added.
class Observers final : public Observer {
public:
    /// @param observer outlives this.
    void add(Observer& observer) { all_.push_back(&observer); }

    void queued() override {
        for (auto* each : all_)
            each->queued();
    }
    void adopted(std::size_t differences) override {
        for (auto* each : all_)
            each->adopted(differences);
    }
    void drifted(Part part, const std::vector<plan::Line>& healing) override {
        for (auto* each : all_)
            each->drifted(part, healing);
    }
    void contested(const plan::Contest& contest) override {
        for (auto* each : all_)
            each->contested(contest);
    }
    void written(const plan::NodeChanges& changes) override {
        for (auto* each : all_)
            each->written(changes);
    }
    void settled(const Round& round, const Report& report,
                 std::chrono::nanoseconds duration) override {
        for (auto* each : all_)
            each->settled(round, report, duration);
    }
    void reached(const PerFamily<bool>& families) override {
        for (auto* each : all_)
            each->reached(families);
    }
    void programmed(Family family, std::chrono::system_clock::time_point triggered) override {
        for (auto* each : all_)
            each->programmed(family, triggered);
    }
    void unreadable(Part part, const std::string& reason) override {
        for (auto* each : all_)
            each->unreadable(part, reason);
    }
    void audited(std::chrono::nanoseconds work) override {
        for (auto* each : all_)
            each->audited(work);
    }

private:
    std::vector<Observer*> all_;
};

} // namespace ipvsproxy::sync

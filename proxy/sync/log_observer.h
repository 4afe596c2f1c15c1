// The loop's doings, in the log.
#pragma once

#include "proxy/sync/daemon.h"

namespace ipvsproxy::sync {

/// A refusal is told once until it changes, healing always; what runs as it should, only at a
/// higher verbosity, with the numbers of kube-proxy's levels.
class LogObserver : public Observer {
public:
    void adopted(std::size_t differences) override;
    void drifted(Part part, const std::vector<plan::Line>& healing) override;
    void contested(const plan::Contest& contest) override;
    void written(const plan::NodeChanges& changes) override;
    void settled(const Round& round, const Report& report,
                 std::chrono::nanoseconds duration) override;
    void unreadable(Part part, const std::string& reason) override;
    void audited(std::chrono::nanoseconds work) override;

private:
    /// Says once that the first round has ended with nothing left to do.
    void reach();

    bool adopted_{}, reached_{};
    bool was_refused_{};
    std::map<Part, std::string> unreadable_; ///< the reason last told
};

} // namespace ipvsproxy::sync

// How often the API server is asked: qps and burst of clientConnection.
#pragma once

#include <algorithm>
#include <chrono>

namespace ipvsproxy::api {

/// A bucket of `burst` tokens that fills with `qps` a second, as client-go's flowcontrol. Takers
/// who find it empty are told when their token comes, one after the other.
class TokenBucket {
public:
    using Moment = std::chrono::steady_clock::time_point;
    /// @param qps negative: no limit. 0 would never give a token; the configuration has no 0.
    TokenBucket(double qps, int burst)
        : qps_{qps}, burst_{std::max(1.0, static_cast<double>(burst))}, tokens_{burst_} {}

    /// Takes a token. @return how long to wait before it may be used.
    std::chrono::nanoseconds take(Moment now) {
        if (qps_ <= 0) return {};
        const std::chrono::duration<double> passed = now - filled_;
        if (taken_ && passed.count() > 0)
            tokens_ = std::min(burst_, tokens_ + passed.count() * qps_);
        if (!taken_ || passed.count() > 0) filled_ = now;
        taken_ = true;
        tokens_ -= 1;
        if (tokens_ >= 0) return {};
        return std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::duration<double>{-tokens_ / qps_});
    }

private:
    double qps_, burst_, tokens_;
    Moment filled_{};
    bool taken_{};
};

} // namespace ipvsproxy::api

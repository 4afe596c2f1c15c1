// How long to wait before the next try of something that fails again and again.
#pragma once

#include <algorithm>
#include <chrono>

namespace ipvsproxy::api {

/// As client-go's for list and watch (tools/cache/reflector.go): from `first` doubling to `most`,
/// each time up to twice as long by chance, so that the nodes of a cluster do not come back as one.
class BackOff {
public:
    using Moment = std::chrono::steady_clock::time_point;
    using Length = std::chrono::nanoseconds;
    BackOff(Length first, Length most, Length forget)
        : first_{first}, most_{most}, forget_{forget} {}

    /// @param chance from 0 to 1. @return how long to wait from `now` on.
    Length next(Moment now, double chance) {
        if (tried_ && now - last_ > forget_) reset();
        const auto length = tried_ ? std::min(current_ * 2, most_) : first_;
        current_ = length;
        last_ = now;
        tried_ = true;
        return length + std::chrono::duration_cast<Length>(chance * length);
    }
    /// What was tried works again.
    void reset() { tried_ = false; }

private:
    Length first_, most_, forget_;
    Length current_{};
    Moment last_{};
    bool tried_{};
};

} // namespace ipvsproxy::api

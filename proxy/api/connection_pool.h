// Connections that wait for their next request.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>

#include "proxy/https/stream.h"

namespace ipvsproxy::api {

/// Keeps a few connections that are of use again; those closed by the server meanwhile, too old, or
/// made with credentials that have changed are dropped when they are met.
class ConnectionPool {
public:
    using Moment = std::chrono::steady_clock::time_point;
    ConnectionPool(std::size_t most, std::chrono::nanoseconds idle_time)
        : most_{most}, idle_time_{idle_time} {}

    /// The one used last; null when there is none to trust.
    std::unique_ptr<https::Stream> take(const https::TlsContext& credentials, Moment now) {
        while (!kept_.empty()) {
            auto last = std::move(kept_.back());
            kept_.pop_back();
            if (last.credentials == credentials && now - last.since < idle_time_ &&
                last.stream->quiet())
                return std::move(last.stream);
        }
        return nullptr;
    }
    void give(std::unique_ptr<https::Stream> stream, const https::TlsContext& credentials,
              Moment now) {
        while (!kept_.empty() && now - kept_.front().since >= idle_time_)
            kept_.pop_front();
        kept_.push_back({std::move(stream), credentials, now});
        if (kept_.size() > most_) kept_.pop_front();
    }
    std::size_t size() const noexcept { return kept_.size(); }

private:
    struct Kept {
        std::unique_ptr<https::Stream> stream;
        https::TlsContext credentials; ///< that it was made with
        Moment since;
    };
    std::size_t most_;
    std::chrono::nanoseconds idle_time_;
    std::deque<Kept> kept_{};
};

} // namespace ipvsproxy::api

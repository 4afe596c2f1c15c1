// Events of Kubernetes: what is told to the API server of what happens here (events.k8s.io/v1).
#pragma once

#include <chrono>
#include <compare>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proxy/api/client.h"

namespace ipvsproxy::api {

/// The object an event is about.
struct Regarding {
    std::string api_version{"v1"}, kind{}, name{};
    std::string name_space{}; ///< empty for a Node; its events are in `default`
    std::string uid{};        ///< empty: not said
    friend auto operator<=>(const Regarding&, const Regarding&) = default;
};

/// Not to be taken for what a watch tells of an object (decode.h).
struct ApiEvent {
    std::string type{"Normal"}; ///< or "Warning"
    std::string reason{}, action{};
    Regarding regarding{};
    std::string note{};
    friend bool operator==(const ApiEvent&, const ApiEvent&) = default;
};

/// An event as it stands on the API server, or is to stand there.
struct EventRecord {
    using Time = std::chrono::system_clock::time_point;
    ApiEvent event{};
    Time first{}, last{};
    int count{1}; ///< from 2 on it is a series
    friend bool operator==(const EventRecord&, const EventRecord&) = default;
};

/// What has been told, so that the same again becomes a series (KEP-383). As client-go's recorder
/// (tools/events): the first repetition is written at once, then a series every half hour, and at
/// its end, which is when it has been silent for six minutes. The note is not looked at. No I/O.
class EventLog {
public:
    using Time = EventRecord::Time;
    /// @return what is to be written now: a new event, or a series that begins.
    std::optional<EventRecord> observe(const ApiEvent& event, Time now);
    /// The series to be written at this moment; those that have ended are forgotten.
    std::vector<EventRecord> due(Time now);
    bool empty() const noexcept { return told_.empty(); }

private:
    struct Key {
        std::string type, reason, action;
        Regarding regarding;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Told {
        EventRecord record;
        Time written{};
    };
    std::map<Key, Told> told_{};
};

/// The request that creates it. @param host the node's name, for reportingInstance.
Request create_request(const EventRecord& record, const std::string& host);
/// The request that brings its series up to date.
Request series_request(const EventRecord& record);

} // namespace ipvsproxy::api

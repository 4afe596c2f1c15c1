#include "proxy/api/event_log.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <ctime>

namespace ipvsproxy::api {
namespace {

namespace json = boost::json;

constexpr std::chrono::minutes silence_that_ends{6}, rewrite{30}; // client-go, tools/events

/// metav1.MicroTime: `2026-11-21T02:05:47.000123Z`
std::string micro_time(EventRecord::Time time) {
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const auto seconds = static_cast<std::time_t>(micros / 1'000'000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 40> text{};
    const auto length = std::strftime(text.data(), text.size(), "%FT%T", &parts);
    std::array<char, 16> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%06dZ", static_cast<int>(micros % 1'000'000));
    return std::string{text.data(), length} + fraction.data();
}

std::string name_space(const EventRecord& record) {
    const auto& given = record.event.regarding.name_space;
    return given.empty() ? "default" : given;
}

/// As client-go names them: the object and the nanosecond, so that each is another.
std::string name_of(const EventRecord& record) {
    const auto nanos =
        std::chrono::duration_cast<std::chrono::nanoseconds>(record.first.time_since_epoch());
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), ".%llx",
                  static_cast<unsigned long long>(nanos.count()));
    return record.event.regarding.name + text.data();
}

std::string collection(const EventRecord& record) {
    return "/apis/events.k8s.io/v1/namespaces/" + name_space(record) + "/events";
}

json::object series(const EventRecord& record) {
    return {{"count", record.count}, {"lastObservedTime", micro_time(record.last)}};
}

/// As much of it as the API takes; no character is cut in two.
std::string note(const std::string& text) {
    constexpr std::size_t most = 1024;
    auto end = std::min(text.size(), most);
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
        --end;
    return text.substr(0, end);
}

json::object regarding(const Regarding& object) {
    json::object result{{"kind", object.kind}, {"name", object.name}};
    if (!object.api_version.empty()) result["apiVersion"] = object.api_version;
    if (!object.name_space.empty()) result["namespace"] = object.name_space;
    if (!object.uid.empty()) result["uid"] = object.uid;
    return result;
}

} // namespace

std::optional<EventRecord> EventLog::observe(const ApiEvent& event, Time now) {
    const Key key{event.type, event.reason, event.action, event.regarding};
    const auto [at, fresh] = told_.try_emplace(key, Told{{event, now, now}, now});
    auto& told = at->second;
    if (fresh) return told.record;
    told.record.last = now;
    if (++told.record.count > 2) return std::nullopt; // with the series' next writing
    told.written = now;
    return told.record;
}

std::vector<EventRecord> EventLog::due(Time now) {
    std::vector<EventRecord> result;
    for (auto at = told_.begin(); at != told_.end();) {
        auto& told = at->second;
        const bool ended = now - told.record.last >= silence_that_ends;
        const bool is_series = told.record.count > 1;
        if (is_series && (ended || now - told.written >= rewrite)) {
            told.written = now;
            result.push_back(told.record);
        }
        at = ended ? told_.erase(at) : std::next(at);
    }
    return result;
}

Request create_request(const EventRecord& record, const std::string& host) {
    const auto& event = record.event;
    json::object body{{"kind", "Event"},
                      {"apiVersion", "events.k8s.io/v1"},
                      {"metadata", {{"name", name_of(record)}, {"namespace", name_space(record)}}},
                      {"eventTime", micro_time(record.first)},
                      {"reportingController", "kube-proxy"},
                      {"reportingInstance", "kube-proxy-" + host},
                      {"action", event.action},
                      {"reason", event.reason},
                      {"regarding", regarding(event.regarding)},
                      {"note", note(event.note)},
                      {"type", event.type}};
    if (record.count > 1) body["series"] = series(record);
    return {.method = "POST",
            .target = collection(record),
            .content_type = "application/json",
            .body = json::serialize(body)};
}

Request series_request(const EventRecord& record) {
    return {.method = "PATCH",
            .target = collection(record) + "/" + name_of(record),
            .content_type = "application/strategic-merge-patch+json",
            .body = json::serialize(json::object{{"series", series(record)}})};
}

} // namespace ipvsproxy::api

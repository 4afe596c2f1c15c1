#include "proxy/serve/health.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace ipvsproxy::serve {

namespace {

std::string_view word(bool truth) {
    return truth ? "true" : "false";
}

} // namespace

std::string timestamp(std::chrono::system_clock::time_point time) {
    using namespace std::chrono;
    const auto second = floor<std::chrono::seconds>(time);
    const std::time_t whole =
        system_clock::to_time_t(time_point_cast<system_clock::duration>(second));
    std::tm at{};
    ::gmtime_r(&whole, &at);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &at);
    std::string out{text.data(), size};
    if (const auto rest = duration_cast<nanoseconds>(time - second).count(); rest != 0) {
        std::snprintf(text.data(), text.size(), ".%09lld", static_cast<long long>(rest));
        std::string fraction{text.data()};
        fraction.erase(fraction.find_last_not_of('0') + 1);
        out += fraction;
    }
    return out + 'Z';
}

void HealthState::queued(Family family, Instant now) {
    auto& pending = families_[family].pending;
    if (!pending) pending = now.steady;
}

void HealthState::updated(Family family, Instant now) {
    families_[family] = {now.wall, std::nullopt};
}

void HealthState::set_node(const model::Node* node) {
    if (node != nullptr) eligible_ = !node->being_deleted && !node->to_be_deleted_taint;
}

bool HealthState::healthy(const FamilyState& state, Instant now) const {
    return !state.updated || !state.pending || now.steady - *state.pending < limit_;
}

bool HealthState::healthy(Instant now) const {
    return std::ranges::all_of(families,
                               [&](Family family) { return healthy(families_[family], now); });
}

/// @param for_traffic whether the Node and the start count too
http::Response HealthState::page(Instant now, bool for_traffic) const {
    const bool all = healthy(now) && (!for_traffic || ready_);
    const bool good = all && (!for_traffic || node_eligible());
    std::string newest = "0001-01-01T00:00:00Z"; // Go's zero time
    std::optional<std::chrono::system_clock::time_point> last;
    std::string status;
    for (const auto family : families) {
        const auto& state = families_[family];
        if (!state.updated) continue;
        last = std::max(last.value_or(*state.updated), *state.updated);
        status += status.empty() ? "" : ",";
        status += '"' + std::string{name(family)} + R"(":{"lastUpdated":")" +
                  timestamp(*state.updated) + R"(","healthy":)";
        status.append(word(healthy(state, now))) += '}';
    }
    if (good) newest = timestamp(now.wall);
    else if (last) newest = timestamp(*last);
    std::string body =
        R"({"lastUpdated":")" + newest + R"(","currentTime":")" + timestamp(now.wall) + '"';
    if (for_traffic) body.append(R"(,"nodeEligible":)").append(word(node_eligible()));
    body.append(R"(,"healthy":)").append(word(all));
    if (!status.empty()) body += R"(,"status":{)" + status + '}';
    return {good ? 200U : 503U,
            {{"Content-Type", "application/json"}, {"X-Content-Type-Options", "nosniff"}},
            body + '}'};
}

http::Response HealthState::healthz(Instant now) const {
    return page(now, true);
}

http::Response HealthState::livez(Instant now) const {
    return page(now, false);
}

} // namespace ipvsproxy::serve

#include "proxy/api/reflector.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace ipvsproxy::api {
namespace {

constexpr int bad_request = 400, unauthorized = 401, forbidden = 403, not_found = 404, gone = 410,
              too_many_requests = 429, internal_error = 500;

/// A stream that fails so often is asked for in pages.
constexpr std::uint32_t stream_tries = 2;

bool is_expired(const Status& status) {
    return status.code == gone || status.reason == "Expired" || status.reason == "Gone";
}

/// storage.NewTooLargeResourceVersionError: the server, or what it asks, lags behind.
bool is_too_large(const Status& status) {
    return status.message.find("Too large resource version") != std::string::npos;
}

/// Refused for what was asked: asking the same again is no use.
bool is_about_the_question(const Status& status) {
    return status.code >= bad_request && status.code < internal_error &&
           status.code != unauthorized && status.code != forbidden &&
           status.code != too_many_requests;
}

/// resourceVersions may be compared as whole numbers (KEP-5504). Nothing for other texts.
std::optional<std::uint64_t> number(const std::string& version) {
    std::uint64_t value{};
    const auto* end = version.data() + version.size();
    const auto parsed = std::from_chars(version.data(), end, value);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return value;
}

} // namespace

std::string url_escaped(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                           (byte >= 'a' && byte <= 'z') || c == '-' || c == '.' || c == '_' ||
                           c == '~';
        if (plain) out += c;
        else (out += '%', out += digits[byte >> 4U], out += digits[byte & 15U]);
    }
    return out;
}

Reflector::Reflector(Resource resource, Pace pace, std::function<double()> chance)
    : resource_{std::move(resource)}, pace_{pace}, chance_{std::move(chance)},
      back_off_{pace.first_pause, pace.longest_pause, pace.forget} {}

std::string Reflector::target(std::string parameters) const {
    if (!resource_.selectors.empty())
        parameters = resource_.selectors + (parameters.empty() ? "" : "&") + parameters;
    return resource_.path + (parameters.empty() ? "" : "?") + parameters;
}

/// Chance spreads the ends of watches, of which each costs a new one.
std::string Reflector::timeout() {
    const auto more = std::chrono::duration<double>{pace_.watch} * chance_();
    const auto all = pace_.watch + std::chrono::duration_cast<std::chrono::seconds>(more);
    return "&timeoutSeconds=" + std::to_string(all.count());
}

Ask Reflector::next(Moment now) {
    began_ = now;
    brought_ = false;
    switch (phase_) {
    case Phase::listing:
        break;
    case Phase::watching:
        return {Ask::Kind::watch,
                target("watch=1&allowWatchBookmarks=true&resourceVersion=" + version_ + timeout()),
                false, silence()};
    case Phase::probing:
        return {
            Ask::Kind::probe,
            target("limit=1&resourceVersion=" + version_ + "&resourceVersionMatch=NotOlderThan"),
            false, silence()};
    }
    return next_of_list();
}

/// The first list takes what a server has at hand (resourceVersion=0); later ones must not be older
/// than what is known. The server's cache answers those whole, so they are not paged.
Ask Reflector::next_of_list() {
    const bool known = !latest_ && !version_.empty();
    Ask ask{paged_ ? Ask::Kind::page : Ask::Kind::stream, {}, continue_.empty(), silence()};
    const auto version = known ? "&resourceVersion=" + version_ : std::string{};
    if (!paged_) {
        ask.target = target("watch=1&allowWatchBookmarks=true&sendInitialEvents=true"
                            "&resourceVersionMatch=NotOlderThan" +
                            version + timeout());
        return ask;
    }
    std::string parameters;
    if (!whole_ && !known) parameters = "limit=500";
    if (!continue_.empty()) parameters += "&continue=" + url_escaped(continue_);
    else if (known) parameters += version;
    else if (!latest_) parameters += "&resourceVersion=0";
    if (parameters.starts_with('&')) parameters.erase(0, 1);
    ask.target = target(std::move(parameters));
    return ask;
}

Meaning Reflector::take(const Decoded& one, Moment now) {
    if (phase_ == Phase::probing) return Meaning::nothing;
    if (one.event == Event::none) return phase_ == Phase::listing ? Meaning::put : Meaning::nothing;
    if (one.event == Event::error) return error(one, now);
    brought_ = true;
    if (phase_ == Phase::listing) {
        if (one.event == Event::bookmark && one.initial_events_end)
            return complete_at(one.resource_version);
    } else if (goes_back(one.resource_version)) {
        // The server's data were put back to an earlier state.
        list_latest();
        pause(now);
        return Meaning::stop;
    } else if (!one.resource_version.empty()) {
        version_ = one.resource_version;
        back_off_.reset();
    }
    if (one.event == Event::bookmark) return Meaning::nothing;
    return one.event == Event::deleted ? Meaning::remove : Meaning::put;
}

bool Reflector::goes_back(const std::string& version) const {
    const auto known = number(version_), came = number(version);
    return known && came && *came < *known;
}

Meaning Reflector::complete_at(std::string version) {
    version_ = std::move(version);
    begin_list(); // for the next time
    paged_ = whole_ = latest_ = false;
    stream_failures_ = 0;
    phase_ = Phase::watching;
    complete_ = true;
    ++lists_;
    return Meaning::complete;
}

Meaning Reflector::error(const Decoded& one, Moment now) {
    const auto* status = one.object.has_error() ? nullptr : std::get_if<Status>(&*one.object);
    refused(status != nullptr ? *status : Status{internal_error, {}, {}}, {}, now);
    return Meaning::stop;
}

Meaning Reflector::ended(End end, const std::optional<ListEnd>& list_end, Moment now) {
    switch (phase_) {
    case Phase::listing:
        if (paged_) return page_ended(end, list_end, now);
        stream_failed(); // a good one ends as a watch
        pause(now);
        break;
    case Phase::watching:
        watch_ended(end, now);
        break;
    case Phase::probing:
        if (end == End::whole) {
            phase_ = Phase::watching;
            at_once(now);
        } else pause(now);
        break;
    }
    return Meaning::nothing;
}

Meaning Reflector::page_ended(End end, const std::optional<ListEnd>& list_end, Moment now) {
    const bool good = list_end && !list_end->resource_version.empty();
    if (end != End::whole || !good) {
        if (end == End::whole || end == End::broken) begin_list();
        pause(now); // otherwise the same page again
        return Meaning::nothing;
    }
    if (list_version_.empty()) list_version_ = list_end->resource_version;
    continue_ = list_end->continue_token;
    at_once(now);
    return continue_.empty() ? complete_at(std::move(list_version_)) : Meaning::nothing;
}

void Reflector::watch_ended(End end, Moment now) {
    if (end == End::broken) { // the event cannot be had; a list may hold what it said
        phase_ = Phase::listing;
        pause(now);
        return;
    }
    // A server that is behind what is known here sends nothing, and says nothing.
    if (!brought_ && end != End::cut) phase_ = Phase::probing;
    if (!brought_ && now - began_ < pace_.short_watch) pause(now);
    else at_once(now);
}

bool Reflector::refused(const Status& status, std::chrono::nanoseconds retry_after, Moment now) {
    if (is_expired(status)) return expired(now);
    if (is_too_large(status)) {
        list_latest();
        pause(now, retry_after);
        return false;
    }
    const bool listing = phase_ == Phase::listing;
    if (is_about_the_question(status)) {
        if (listing && ask_otherwise()) {
            at_once(now);
            return false;
        }
        phase_ = Phase::listing;
    } else if (listing && !paged_ && status.code >= internal_error) {
        stream_failed();
    }
    const bool may_be = !resource_.needed && (status.code == forbidden || status.code == not_found);
    pause(now, may_be ? pace_.refused_unneeded : retry_after);
    return !may_be;
}

/// For the same list. @return whether there is another way.
bool Reflector::ask_otherwise() {
    if (!paged_) paged_ = true;
    else if (!continue_.empty()) list_whole();
    else return false;
    return true;
}

/// What was asked for is no longer kept.
bool Reflector::expired(Moment now) {
    if (phase_ != Phase::listing) {
        phase_ = Phase::listing;
        pause(now); // by chance: every node hears this at the same moment
        return false;
    }
    if (latest_ && continue_.empty()) { // there is no other way
        pause(now);
        return true;
    }
    if (continue_.empty()) list_latest();
    else list_whole();
    at_once(now);
    return false;
}

void Reflector::unreachable(Moment now) {
    // It may come back with its data put back to an earlier state.
    if (phase_ == Phase::watching) phase_ = Phase::probing;
    pause(now);
}

void Reflector::begin_list() {
    continue_.clear();
    list_version_.clear();
}

void Reflector::list_whole() {
    begin_list();
    whole_ = true;
}

void Reflector::list_latest() {
    phase_ = Phase::listing;
    begin_list();
    latest_ = true;
}

void Reflector::stream_failed() {
    if (++stream_failures_ >= stream_tries) paged_ = true;
}

void Reflector::at_once(Moment now) {
    due_ = now;
}

void Reflector::pause(Moment now, std::chrono::nanoseconds least) {
    due_ = now + std::max(back_off_.next(now, chance_()), least);
}

} // namespace ipvsproxy::api

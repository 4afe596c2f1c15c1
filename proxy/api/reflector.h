// What to ask of one collection of the API next, and what its answers mean: list, then watch, for
// ever. No I/O; time and chance are arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "proxy/api/back_off.h"
#include "proxy/api/decode.h"

namespace ipvsproxy::api {

using Moment = BackOff::Moment;

/// As a value in a URL's query (RFC 3986): what is not plain becomes %XX.
std::string url_escaped(std::string_view text);

/// A collection that is listed and watched.
struct Resource {
    std::string name;        ///< "services"
    std::string path;        ///< "/api/v1/services"
    std::string selectors{}; ///< "labelSelector=…&fieldSelector=…" as in a URL; may be empty
    bool needed{true};       ///< false: what it says decides nothing, so it may be refused
};

/// The times of a Reflector; the defaults are client-go's where it has one.
struct Pace {
    using Length = std::chrono::nanoseconds;
    Length first_pause{std::chrono::milliseconds{800}}, longest_pause{std::chrono::seconds{30}};
    Length forget{std::chrono::minutes{2}}; ///< the last failure, when there was none for so long
    /// The server is to end a watch after this time, or up to twice as much by chance.
    std::chrono::seconds watch{std::chrono::minutes{5}};
    /// A watch without a byte is given up: bookmarks come about once a minute, only roughly.
    Length silence{std::chrono::minutes{4}};
    /// A list is, streamed or not: kube-apiserver itself gives one a minute (--request-timeout).
    Length list_silence{std::chrono::seconds{75}};
    Length short_watch{std::chrono::seconds{1}};      ///< one that ends sooner, empty, is a failure
    Length refused_unneeded{std::chrono::minutes{5}}; ///< between tries of what is not needed
};

/// The next request.
struct Ask {
    enum class Kind : std::uint8_t {
        stream, ///< a watch that begins with the list (KEP-3157)
        page,   ///< a list, or a page of one
        watch,
        probe ///< whether the server has got as far as is known here: a list of one object
    };
    Kind kind{};
    std::string target; ///< path and query
    bool begins_list{}; ///< what an unfinished list has gathered before counts no more
    std::chrono::nanoseconds silence{}; ///< of the list or watch that is asked for: silence()
    friend bool operator==(const Ask&, const Ask&) = default;
};

/// How a body ended that was not stopped by a Meaning.
enum class End : std::uint8_t {
    whole,
    cut,    ///< the connection broke
    silent, ///< no byte for silence()
    broken  ///< not the JSON of the API
};

/// What an object of an answer means to the copy that is kept.
enum class Meaning : std::uint8_t {
    put,
    remove,
    complete, ///< all of the list was seen: what was not in it is gone
    nothing,
    stop ///< the rest of the answer is of no use
};

/// One request is under way at a time: next(), then take() for each object, then one of ended(),
/// refused() and unreachable(), unless take() said stop. Nothing here forgets an object: only a
/// whole list says that one is gone.
class Reflector {
public:
    /// @param chance gives numbers from 0 to 1.
    Reflector(Resource resource, Pace pace, std::function<double()> chance);

    const Resource& resource() const noexcept { return resource_; }
    /// Not before this moment may next() be asked; it may lie in the past.
    Moment due() const noexcept { return due_; }
    Ask next(Moment now);

    Meaning take(const Decoded& one, Moment now);
    /// The body has come to an end. @return complete when a list has, with this page.
    Meaning ended(End end, const std::optional<ListEnd>& list_end, Moment now);
    /// An answer other than 200. @param retry_after of the header, zero without one.
    /// @return whether that is trouble; if not, there is another way to ask.
    bool refused(const Status& status, std::chrono::nanoseconds retry_after, Moment now);
    /// No answer at all.
    void unreachable(Moment now);

    /// No byte for so long, and what is under way has stalled. A streamed list becomes its watch
    /// once it is complete, and has the watch's from then on.
    std::chrono::nanoseconds silence() const noexcept {
        return phase_ == Phase::watching ? pace_.silence : pace_.list_silence;
    }

    /// A list has been seen whole; what is known may be old now, but nothing is missing.
    bool complete() const noexcept { return complete_; }
    /// The lists that were seen whole.
    std::uint64_t lists() const noexcept { return lists_; }
    /// The resourceVersion that the copy is equal to; empty before the first list.
    const std::string& version() const noexcept { return version_; }

private:
    enum class Phase : std::uint8_t { listing, watching, probing };

    std::string target(std::string parameters) const;
    Ask next_of_list();
    std::string timeout();
    bool goes_back(const std::string& version) const;
    Meaning complete_at(std::string version);
    Meaning error(const Decoded& one, Moment now);
    Meaning page_ended(End end, const std::optional<ListEnd>& list_end, Moment now);
    void watch_ended(End end, Moment now);
    bool ask_otherwise();
    bool expired(Moment now);
    void begin_list();
    void list_whole();
    void list_latest();
    void stream_failed();
    void at_once(Moment now);
    void pause(Moment now, std::chrono::nanoseconds least = {});

    Resource resource_;
    Pace pace_;
    std::function<double()> chance_;
    BackOff back_off_;
    Moment due_{Moment::min()};
    Phase phase_{Phase::listing};
    bool complete_{};
    std::uint64_t lists_{};
    std::string version_{};
    // The list under way.
    bool paged_{};  ///< this server does not stream it
    bool whole_{};  ///< without pages: this server could not continue one
    bool latest_{}; ///< what is known cannot be had: whatever is newest
    std::uint32_t stream_failures_{};
    std::string continue_{}, list_version_{};
    // The request under way.
    Moment began_{};
    bool brought_{}; ///< an event
};

} // namespace ipvsproxy::api

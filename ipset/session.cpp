#include "ipset/session.h"

#include <linux/netlink.h>

extern "C" {
#include <libipset/types.h>
}

#include <cerrno>

#include "ipset/error.h"

namespace ipvsproxy::ipset {
namespace {

/// libipset's own list of types and revisions. Its sessions are not used: they give an error as a
/// sentence only, without its number, and keep half a request in their buffer after some.
const ipset_type* known_types() {
    static const bool loaded = [] {
        ipset_load_types();
        return true;
    }();
    static_cast<void>(loaded);
    return ipset_types();
}

bool has_family(const ipset_type& type, Family family) noexcept {
    const int wanted = family == Family::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
    return type.family == wanted || type.family == NFPROTO_IPSET_IPV46 ||
           type.family == NFPROTO_UNSPEC;
}

[[noreturn]] void fail(const std::error_code& error, const std::string& what) {
    throw std::system_error(error, what);
}

} // namespace

std::error_code error_of_set(const std::error_code& reported) noexcept {
    return error_from(reported.value());
}

std::optional<std::uint8_t> choose_revision(Type type, Family family, Revisions kernel) {
    std::optional<std::uint8_t> newest;
    for (const auto* known = known_types(); known != nullptr; known = known->next) {
        if (known->name != name(type) || !has_family(*known, family)) continue;
        if (known->revision < kernel.lowest || known->revision > kernel.highest) continue;
        newest = std::max(newest.value_or(0), known->revision);
    }
    return newest;
}

Session::Session(netlink::SocketOptions options) : socket_{NETLINK_NETFILTER, options} {}

std::error_code Session::send(netlink::Messages& message) {
    return error_of_set(socket_.request(message));
}

std::optional<std::uint8_t> Session::revision(Type type, Family family, std::error_code& error) {
    const auto known = revisions_.find({type, family});
    if (known != revisions_.end()) return known->second;
    netlink::Messages query;
    encode_type(query, type, family);
    std::optional<Revisions> answer;
    error = error_of_set(socket_.request(
        query, [&](const netlink::Message& message) { answer = decode_type(message); }));
    if (error) return {};
    const auto chosen = answer ? choose_revision(type, family, *answer) : std::nullopt;
    if (chosen) revisions_.emplace(std::pair{type, family}, *chosen);
    else error = Error::unknown_type;
    return chosen;
}

std::error_code Session::create(const std::string& set, const SetSpec& spec,
                                std::uint32_t hash_size) {
    std::error_code error;
    const auto chosen = revision(spec.type, spec.family, error);
    if (!chosen) return error;
    netlink::Messages message;
    encode_create(message, set, spec, hash_size, *chosen);
    return send(message);
}

std::error_code Session::destroy(const std::string& set) {
    netlink::Messages message;
    encode_destroy(message, set);
    const auto error = send(message);
    return error == std::errc::no_such_file_or_directory ? std::error_code{} : error;
}

std::error_code Session::swap(const std::string& first, const std::string& second) {
    netlink::Messages message;
    encode_swap(message, first, second);
    return send(message);
}

void Session::list(const std::string& set, Detail detail, const std::function<void()>& restart,
                   const std::function<void(const Listing&)>& handle) {
    netlink::Messages query;
    encode_list(query, set, detail);
    try {
        socket_.steady_dump(query, restart, [&](const netlink::Message& message) {
            const auto listing = decode_listing(message);
            if (!listing) fail({EBADMSG, std::generic_category()}, "ipset listing");
            handle(*listing);
        });
    } catch (const std::system_error& error) {
        // nfnetlink's answer to a subsystem that it has not, for this request is valid.
        if (error.code() == std::errc::invalid_argument)
            fail(std::make_error_code(std::errc::protocol_not_supported),
                 "the kernel has no ipset: module ip_set is not loaded and the kernel could not "
                 "load it by itself; run `modprobe ip_set` on the node");
        fail(error_of_set(error.code()),
             set.empty() ? "listing the ipsets" : "listing ipset " + set);
    }
}

std::map<std::string, Header> Session::headers() {
    std::map<std::string, Header> all;
    list(
        {}, Detail::header, [&] { all.clear(); },
        [&](const Listing& part) {
            if (part.header) all.insert_or_assign(part.set, *part.header);
        });
    return all;
}

std::optional<Header> Session::header(const std::string& set) {
    std::optional<Header> found;
    try {
        list(
            set, Detail::header, [&] { found.reset(); },
            [&](const Listing& part) { found = part.header; });
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::no_such_file_or_directory) throw;
    }
    return found;
}

std::optional<Session::Contents> Session::contents(const std::string& set) {
    std::optional<Header> found;
    GatheredEntries entries;
    const auto take = [&](const Listing& part) {
        if (part.header) {
            found = part.header;
            entries.clear();
        }
        if (!found || !part.entries) return;
        if (!found->spec) fail({ENOTSUP, std::generic_category()}, "its type is not ours");
        if (!decode_entries(*found->spec, *part.entries, entries))
            fail({EBADMSG, std::generic_category()}, "its entries");
    };
    try {
        list(
            set, Detail::entries, [&] { found.reset(); }, take);
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::no_such_file_or_directory) throw;
        return {};
    }
    if (!found) return {};
    if (!found->spec) fail({ENOTSUP, std::generic_category()}, "listing ipset " + set);
    return Contents{*found, in_order(std::move(entries))};
}

} // namespace ipvsproxy::ipset

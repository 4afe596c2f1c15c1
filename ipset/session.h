// The life of sets in the kernel: created, swapped, destroyed, listed, one request at a time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "ipset/codec.h"
#include "netlink/kernel_socket.h"

namespace ipvsproxy::ipset {

/// What an error that the socket reports means of a set: see error_from().
std::error_code error_of_set(const std::error_code& reported) noexcept;

/// The newest revision of a set type that both the kernel and libipset know, as the ipset command
/// takes it: so that command can always list what we create. Nothing when they share none.
std::optional<std::uint8_t> choose_revision(Type type, Family family, Revisions kernel);

/// A netfilter socket in the network namespace of the thread that makes it; one thread at a time.
/// Where a function returns a code it is the kernel's, as error_from() makes it; ENOBUFS means
/// that the answer was lost. All throw std::system_error when the socket itself is lost.
class Session {
public:
    explicit Session(netlink::SocketOptions options = {});

    /// EEXIST where a set of the name exists, of whatever kind.
    std::error_code create(const std::string& set, const SetSpec& spec, std::uint32_t hash_size);
    /// A missing set counts as destroyed. Error::busy while a rule names it.
    std::error_code destroy(const std::string& set);
    /// Atomic for packets; rules follow the name. Only sets of like type and family.
    std::error_code swap(const std::string& first, const std::string& second);

    /// Of every set of the namespace. @throws std::system_error when the kernel cannot be asked:
    /// EPROTONOSUPPORT, with the remedy in its text, when it has no ipset and cannot load it.
    std::map<std::string, Header> headers();
    /// Nothing when there is no such set. @throws like headers().
    std::optional<Header> header(const std::string& set);
    struct Contents {
        Header header;
        Entries entries;
    };
    /// Nothing when there is no such set. @throws like headers(), and ENOTSUP where the set's type
    /// is not ours.
    std::optional<Contents> contents(const std::string& set);

    netlink::Socket& socket() noexcept { return socket_; }
    const netlink::Socket& socket() const noexcept { return socket_; }

private:
    std::error_code send(netlink::Messages& message);
    void list(const std::string& set, Detail detail, const std::function<void()>& restart,
              const std::function<void(const Listing&)>& handle);
    std::optional<std::uint8_t> revision(Type type, Family family, std::error_code& error);

    netlink::Socket socket_;
    std::map<std::pair<Type, Family>, std::uint8_t> revisions_;
};

} // namespace ipvsproxy::ipset

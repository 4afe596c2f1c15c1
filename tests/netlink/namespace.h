// A network namespace for one test case: entered when made, left and so gone when it ends.
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "netlink/handle.h"

namespace ipvsproxy::tests {

/// Needs CAP_SYS_ADMIN. `lo` is up: without it a namespace has no local routing table.
class OwnNamespace {
public:
    OwnNamespace() : before_{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)} {
        if (!before_ || unshare(CLONE_NEWNET) != 0) fail("a network namespace of one's own");
        raise("lo");
    }
    ~OwnNamespace() { setns(before_.get(), CLONE_NEWNET); }
    OwnNamespace(const OwnNamespace&) = delete;
    OwnNamespace& operator=(const OwnNamespace&) = delete;
    OwnNamespace(OwnNamespace&&) = delete;
    OwnNamespace& operator=(OwnNamespace&&) = delete;

    /// Sets an interface up.
    static void raise(const char* interface) {
        const FileDescriptor socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        ifreq request{};
        std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
        request.ifr_flags = IFF_UP;
        if (ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) fail("setting an interface up");
    }

private:
    [[noreturn]] static void fail(const char* what) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    FileDescriptor before_;
};

} // namespace ipvsproxy::tests

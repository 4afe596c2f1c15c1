#include "tests/kernel/namespace.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace ipvsproxy::kernel_test {

namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

int open_current() {
    const int descriptor = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail("cannot open the thread's network namespace");
    return descriptor;
}

void bring_up_loopback() {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) fail("cannot open a socket in the new namespace");
    ifreq request{};
    request.ifr_name[0] = 'l';
    request.ifr_name[1] = 'o';
    request.ifr_flags = IFF_UP;
    const int refused = ::ioctl(socket, SIOCSIFFLAGS, &request);
    ::close(socket);
    if (refused != 0) fail("cannot bring up lo");
}

/// A thread left in the wrong namespace would carry every later test, and the host's network,
/// along.
void return_to(int former) noexcept {
    if (::setns(former, CLONE_NEWNET) != 0) {
        std::perror("cannot return to the former network namespace");
        std::abort();
    }
    ::close(former);
}

} // namespace

Namespace::Namespace() : former_(open_current()) {
    if (::unshare(CLONE_NEWNET) != 0) {
        ::close(former_);
        fail("cannot make a network namespace");
    }
    try {
        bring_up_loopback();
        own_ = open_current();
    } catch (...) {
        return_to(former_);
        throw;
    }
}

Namespace::~Namespace() {
    ::close(own_);
    return_to(former_);
}

std::string Namespace::path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(own_);
}

Inside::Inside(const Namespace& target) : former_(open_current()) {
    if (::setns(target.descriptor(), CLONE_NEWNET) != 0) {
        ::close(former_);
        fail("cannot enter a network namespace");
    }
}

Inside::~Inside() {
    return_to(former_);
}

} // namespace ipvsproxy::kernel_test

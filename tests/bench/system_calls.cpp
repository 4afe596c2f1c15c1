#include "tests/bench/system_calls.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/meter.h"

namespace {

ipvsproxy::bench::SystemCalls counted;
bool counting = true;

/// syscall(2) sets errno as the C library's own functions do.
template <class... Arguments> long counted_call(long number, Arguments... arguments) {
    if (!counting) return ::syscall(number, arguments...);
    const auto begin = ipvsproxy::bench::monotonic_ns();
    const long result = ::syscall(number, arguments...);
    counted.inside_ns += ipvsproxy::bench::monotonic_ns() - begin;
    ++counted.count;
    return result;
}

} // namespace

const ipvsproxy::bench::SystemCalls& ipvsproxy::bench::system_calls() noexcept {
    return counted;
}

void ipvsproxy::bench::stop_counting() noexcept {
    counting = false;
}

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's are reserved
extern "C" {

ssize_t send(int fd, const void* data, size_t size, int flags) {
    return counted_call(SYS_sendto, fd, data, size, flags, nullptr, 0);
}

ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* to,
               socklen_t to_size) {
    return counted_call(SYS_sendto, fd, data, size, flags, to, to_size);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
    return counted_call(SYS_sendmsg, fd, message, flags);
}

ssize_t recv(int fd, void* data, size_t size, int flags) {
    return counted_call(SYS_recvfrom, fd, data, size, flags, nullptr, nullptr);
}

ssize_t recvfrom(int fd, void* data, size_t size, int flags, sockaddr* from, socklen_t* from_size) {
    return counted_call(SYS_recvfrom, fd, data, size, flags, from, from_size);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
    return counted_call(SYS_recvmsg, fd, message, flags);
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
    return static_cast<int>(counted_call(SYS_recvmmsg, fd, messages, count, flags, timeout));
}

int getsockopt(int fd, int level, int option, void* value, socklen_t* size) noexcept {
    return static_cast<int>(counted_call(SYS_getsockopt, fd, level, option, value, size));
}

int setsockopt(int fd, int level, int option, const void* value, socklen_t size) noexcept {
    return static_cast<int>(counted_call(SYS_setsockopt, fd, level, option, value, size));
}

} // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)

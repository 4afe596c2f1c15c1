#include "proxy/run/signals.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace ipvsproxy::run {
namespace {

constexpr std::array listened{SIGTERM, SIGINT, SIGHUP};

/// Where the handler writes. A signal handler reaches nothing but statics.
std::atomic<int> writing_end{-1};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void note_signal(int number) {
    const int kept = errno;
    const auto byte = static_cast<unsigned char>(number);
    // A full pipe holds more signals than anybody sends; one more would say nothing new.
    [[maybe_unused]] const auto written = ::write(writing_end, &byte, 1);
    errno = kept;
}

} // namespace

Signals::Signals() {
    if (::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0)
        throw std::system_error{errno, std::generic_category(), "pipe for signals"};
    writing_end = ends_[1];
    struct sigaction action {};
    action.sa_handler = note_signal; // NOLINT(cppcoreguidelines-pro-type-union-access): POSIX
    action.sa_flags = SA_RESTART;
    for (const int number : listened)
        ::sigaction(number, &action, nullptr); // fails only for numbers that are no signals
}

Signals::~Signals() {
    struct sigaction action {};
    action.sa_handler = SIG_DFL; // NOLINT(cppcoreguidelines-pro-type-union-access): POSIX
    for (const int number : listened)
        ::sigaction(number, &action, nullptr);
    writing_end = -1;
    ::close(ends_[0]);
    ::close(ends_[1]);
}

std::optional<int> Signals::take() {
    unsigned char byte{};
    if (::read(ends_[0], &byte, 1) != 1) return std::nullopt;
    return byte;
}

} // namespace ipvsproxy::run

#include "proxy/iptables/legacy_lock.h"

#include <cerrno>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>

namespace ipvsproxy::iptables {

std::string xtables_lock_file() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in this program changes the environment
    const char* const named = std::getenv("XTABLES_LOCKFILE");
    return named != nullptr && *named != '\0' ? named : "/run/xtables.lock";
}

LegacyLock::LegacyLock(const std::string& file, std::chrono::milliseconds wait) {
    constexpr std::chrono::milliseconds pause{20}; // flock() itself knows no deadline
    descriptor_ = FileDescriptor(::open(file.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!descriptor_) {
        error_ = {errno, std::generic_category()};
        return;
    }
    const auto deadline = std::chrono::steady_clock::now() + wait;
    while (::flock(descriptor_.get(), LOCK_EX | LOCK_NB) != 0) {
        const int failure = errno;
        const bool late = std::chrono::steady_clock::now() >= deadline;
        if ((failure != EWOULDBLOCK && failure != EINTR) || late) {
            error_ = {failure, std::generic_category()};
            return;
        }
        std::this_thread::sleep_for(pause);
    }
}

} // namespace ipvsproxy::iptables

#include "netlink/kernel_sysctl.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include "netlink/handle.h"

namespace ipvsproxy {

namespace {

std::error_code last_error() {
    return {errno, std::generic_category()};
}

} // namespace

std::optional<std::string> KernelSysctls::read(const std::string& name) {
    const FileDescriptor file{::open((root_ + '/' + name).c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) return {};
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
        const ssize_t got = ::read(file.get(), part.data(), part.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return {};
        if (got == 0) break;
        text.append(part.data(), static_cast<std::size_t>(got));
    }
    text.erase(text.find_last_not_of(" \t\n") + 1);
    return text;
}

std::error_code KernelSysctls::write(const std::string& name, const std::string& value) {
    const FileDescriptor file{::open((root_ + '/' + name).c_str(), O_WRONLY | O_CLOEXEC)};
    if (!file) return last_error();
    ssize_t written = -1;
    do
        written = ::write(file.get(), value.data(), value.size());
    while (written < 0 && errno == EINTR);
    if (written < 0) return last_error();
    // The kernel takes a switch whole, in one write, or not at all.
    if (static_cast<std::size_t>(written) != value.size())
        return std::make_error_code(std::errc::io_error);
    return {};
}

} // namespace ipvsproxy

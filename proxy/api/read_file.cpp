#include "proxy/api/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "netlink/handle.h"
#include "proxy/log/log.h"

namespace ipvsproxy::api {
namespace {

constexpr std::size_t largest = 1U << 20U;

} // namespace

std::string read_file(const std::string& path) {
    const auto fail = [&](int error) -> void {
        throw std::system_error{error, std::generic_category(), path};
    };
    const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
    if (!file) fail(errno);
    std::string text;
    std::array<char, 4096> room{};
    for (;;) {
        const auto count = ::read(file.get(), room.data(), room.size());
        if (count < 0) fail(errno);
        if (count == 0) return text;
        text.append(room.data(), static_cast<std::size_t>(count));
        if (text.size() > largest) fail(EFBIG);
    }
}

const std::string& RotatingFile::text(Moment now) {
    if (text_ && read_at_ && now - *read_at_ < period_) return *text_;
    try {
        text_ = read_file(path_);
        failing_ = false;
    } catch (const std::system_error& error) {
        if (!text_) throw;
        if (!failing_) log::error("What was read before stays in use", {{"err", error.what()}});
        failing_ = true;
    }
    read_at_ = now;
    return *text_;
}

} // namespace ipvsproxy::api

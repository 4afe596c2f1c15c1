#include "netlink/modules.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

namespace ipvsproxy {

namespace {

class ModprobeCategory final : public std::error_category {
public:
    const char* name() const noexcept override { return "modprobe"; }
    std::string message(int status) const override {
        return "modprobe ended with status " + std::to_string(status);
    }
};

std::error_code system_code(int number) {
    return {number, std::generic_category()};
}

bool is_module_name(const std::string& name) {
    return !name.empty() && name.front() != '-' && std::ranges::all_of(name, [](char letter) {
        return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' ||
               letter == '-';
    });
}

/// 0, or the errno with which no process could be started.
int start(const char* program, std::string name, pid_t& child) {
    std::string command = "modprobe";
    const std::array<char*, 3> arguments{command.data(), name.data(), nullptr};
    return posix_spawn(&child, program, nullptr, nullptr, arguments.data(), environ);
}

} // namespace

const std::error_category& modprobe_category() noexcept {
    static const ModprobeCategory category;
    return category;
}

std::error_code load_module(const std::string& name) {
    if (!is_module_name(name)) return std::make_error_code(std::errc::invalid_argument);
    pid_t child = 0;
    int refused = start("/sbin/modprobe", name, child);
    if (refused == ENOENT) refused = start("/usr/sbin/modprobe", name, child);
    if (refused != 0) return system_code(refused);
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return system_code(errno);
    if (!WIFEXITED(status)) return std::make_error_code(std::errc::interrupted);
    if (WEXITSTATUS(status) == 0) return {};
    return {WEXITSTATUS(status), modprobe_category()};
}

} // namespace ipvsproxy

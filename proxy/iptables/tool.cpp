#include "proxy/iptables/tool.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
extern "C" { // glibc 2.36 does not say so itself
#include <sys/pidfd.h>
}

#include "netlink/handle.h"

namespace ipvsproxy::iptables {

namespace {

[[noreturn]] void fail(int error, const std::string& what) {
    throw std::system_error(error, std::generic_category(), what);
}

/// A file without a name: unlike a pipe it takes any amount before it is read, so that writing
/// the input and waiting for the end need not take turns with reading.
FileDescriptor nameless_file(std::string_view content) {
    FileDescriptor file(::memfd_create("tool", MFD_CLOEXEC));
    if (!file) fail(errno, "memfd_create");
    while (!content.empty()) {
        const auto written = ::write(file.get(), content.data(), content.size());
        if (written < 0) fail(errno, "write the input of a tool");
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::lseek(file.get(), 0, SEEK_SET) != 0) fail(errno, "lseek");
    return file;
}

std::string content_of(const FileDescriptor& file) {
    std::string content;
    std::array<char, 16384> chunk{};
    for (;;) {
        const auto count =
            ::pread(file.get(), chunk.data(), chunk.size(), static_cast<off_t>(content.size()));
        if (count < 0) fail(errno, "read the output of a tool");
        if (count == 0) return content;
        content.append(chunk.data(), static_cast<std::size_t>(count));
    }
}

/// The three standard descriptors of the child.
class Redirections {
public:
    Redirections() { posix_spawn_file_actions_init(&actions_); }
    ~Redirections() { posix_spawn_file_actions_destroy(&actions_); }
    Redirections(const Redirections&) = delete;
    Redirections& operator=(const Redirections&) = delete;
    Redirections(Redirections&&) = delete;
    Redirections& operator=(Redirections&&) = delete;
    void set(int descriptor, const FileDescriptor& file) {
        posix_spawn_file_actions_adddup2(&actions_, file.get(), descriptor);
    }
    const posix_spawn_file_actions_t* get() const { return &actions_; }

private:
    posix_spawn_file_actions_t actions_{};
};

pid_t start(const std::vector<std::string>& words, const Redirections& redirections) {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (const std::string& word : words)
        arguments.push_back(const_cast<char*>(word.c_str())); // posix_spawnp leaves them alone
    arguments.push_back(nullptr);
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, words.front().c_str(), redirections.get(), nullptr,
                                     arguments.data(), environ);
    if (error != 0) fail(error, "run " + words.front());
    return child;
}

int wait_for_end(pid_t child, std::chrono::milliseconds limit, const std::string& what) {
    const FileDescriptor watched(::pidfd_open(child, 0));
    if (watched) { // Linux 5.3; before, it is waited for however long it takes
        const auto deadline = std::chrono::steady_clock::now() + limit;
        pollfd end{watched.get(), POLLIN, 0};
        int ready = -1;
        do {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            ready = ::poll(&end, 1, static_cast<int>(std::max(left.count(), std::int64_t{0})));
        } while (ready < 0 && errno == EINTR);
        if (ready == 0) ::kill(child, SIGKILL);
        int status = 0;
        if (::waitpid(child, &status, 0) < 0) fail(errno, "wait for " + what);
        if (ready == 0) fail(ETIMEDOUT, what);
        return status;
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) fail(errno, "wait for " + what);
    return status;
}

} // namespace

ToolOutput run_tool(const std::vector<std::string>& words, std::string_view input,
                    std::chrono::milliseconds limit) {
    const FileDescriptor in = nameless_file(input);
    const FileDescriptor out = nameless_file({});
    const FileDescriptor error = nameless_file({});
    Redirections redirections;
    redirections.set(STDIN_FILENO, in);
    redirections.set(STDOUT_FILENO, out);
    redirections.set(STDERR_FILENO, error);
    const int status = wait_for_end(start(words, redirections), limit, words.front());
    return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), content_of(out),
            content_of(error)};
}

} // namespace ipvsproxy::iptables

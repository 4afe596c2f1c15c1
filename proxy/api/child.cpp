#include "proxy/api/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "netlink/handle.h"
#include "proxy/https/within.h"

namespace ipvsproxy::api {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

constexpr std::size_t largest_output = 1U << 20U;
constexpr std::size_t complaints_kept = 4096;

/// Our end, and the command's.
struct Pipe {
    Descriptor reading;
    FileDescriptor writing;
};
Pipe open_pipe(const asio::any_io_executor& executor) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        throw std::system_error{errno, std::generic_category(), "pipe"};
    FileDescriptor writing{ends[1]};
    return {Descriptor{executor, ends[0]}, std::move(writing)};
}

/// posix_spawn's two parameter blocks.
class SpawnPlan {
public:
    SpawnPlan(int output, int complaints) {
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
        posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions_, output, 1);
        posix_spawn_file_actions_adddup2(&actions_, complaints, 2);
        posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
        sigset_t none, all; // NOLINT(*-member-init,*-isolate-declaration): filled below
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setpgroup(&attributes_, 0);
        posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                   POSIX_SPAWN_SETPGROUP);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
    ~SpawnPlan() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    pid_t start(const Command& command) {
        std::vector<char*> arguments{
            const_cast<char*>(command.path.c_str())}; // the call's C signature
        for (const auto& each : command.arguments)
            arguments.push_back(const_cast<char*>(each.c_str()));
        arguments.push_back(nullptr);
        std::vector<char*> environment;
        for (const auto& each : command.environment)
            environment.push_back(const_cast<char*>(each.c_str()));
        environment.push_back(nullptr);
        pid_t pid{};
        const int error = ::posix_spawnp(&pid, command.path.c_str(), &actions_, &attributes_,
                                         arguments.data(), environment.data());
        if (error != 0) throw std::system_error{error, std::generic_category(), command.path};
        return pid;
    }

private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

/// A process of ours; killed with its group, and buried, when nobody waits for it any more.
class Process {
public:
    explicit Process(pid_t pid) : pid_{pid} {}
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() {
        if (pid_ == 0) return;
        ::kill(-pid_, SIGKILL);
        (void)bury(0);
    }
    /// Ends when the process does; it is not buried yet.
    asio::awaitable<void> ended() {
        const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
        if (descriptor < 0) throw std::system_error{errno, std::generic_category(), "pidfd_open"};
        Descriptor end{co_await asio::this_coro::executor, descriptor};
        co_await end.async_wait(Descriptor::wait_read, asio::use_awaitable);
    }
    int bury(int flags) {
        int status{};
        while (::waitpid(pid_, &status, flags) < 0 && errno == EINTR) {
        }
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

private:
    pid_t pid_;
};

/// Reads to the end of the pipe. @param most what is kept: the last bytes.
asio::awaitable<std::string> read_all(Descriptor& pipe, std::size_t most) {
    std::string text;
    std::array<char, 4096> room{};
    boost::system::error_code error;
    for (;;) {
        const auto buffer = asio::buffer(room);
        const auto count =
            co_await pipe.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::eof) co_return text;
        if (error) throw boost::system::system_error{error};
        text.append(room.data(), count);
        if (text.size() > most) text.erase(0, text.size() - most);
    }
}

asio::awaitable<Finished> follow(Process& process, Descriptor output, Descriptor complaints) {
    const auto executor = co_await asio::this_coro::executor;
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, read_all(output, largest_output), asio::deferred),
        asio::co_spawn(executor, read_all(complaints, complaints_kept), asio::deferred));
    auto [order, failure, text, complaints_failure, complaint] =
        co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    if (failure) std::rethrow_exception(failure);
    co_await process.ended();
    const int exit_code = process.bury(0);
    co_return Finished{exit_code, std::move(text), std::move(complaint)};
}

} // namespace

asio::awaitable<Finished> run_command(Command command) {
    const auto executor = co_await asio::this_coro::executor;
    auto output = open_pipe(executor);
    auto complaints = open_pipe(executor);
    Process process{SpawnPlan{output.writing.get(), complaints.writing.get()}.start(command)};
    { // the pipes end when the command's own ends are closed
        const auto ours = std::move(output.writing), theirs = std::move(complaints.writing);
    }
    co_return co_await https::within(
        command.limit, follow(process, std::move(output.reading), std::move(complaints.reading)));
}

} // namespace ipvsproxy::api

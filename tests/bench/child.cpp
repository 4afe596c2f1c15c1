#include "tests/bench/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <system_error>

#include "tests/kernel/wakeups.h"

namespace ipvsproxy::bench {
namespace {

/// @param out becomes standard output and standard error
pid_t start(const std::vector<std::string>& argv, const std::string& input, int out) {
    std::vector<char*> words;
    words.reserve(argv.size() + 1);
    for (const auto& word : argv)
        words.push_back(const_cast<char*>(word.c_str())); // execvp's type
    words.push_back(nullptr);
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error{errno, std::generic_category(), "fork"};
    if (child > 0) return child;
    const int in = ::open(input.empty() ? "/dev/null" : input.c_str(), O_RDONLY);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execvp(words.front(), words.data());
    std::perror(words.front());
    ::_exit(127);
}

std::uint64_t in_ns(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(time.tv_usec) * 1'000U;
}

std::array<int, 2> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        throw std::system_error{errno, std::generic_category(), "pipe"};
    return ends;
}

} // namespace

Usage run_child(const std::vector<std::string>& argv, const std::string& input) {
    const auto [from, to] = make_pipe();
    Usage usage;
    const auto begin = monotonic_ns();
    const pid_t child = start(argv, input, to);
    ::close(to);
    std::array<char, 4096> part{};
    for (ssize_t got = 0; (got = ::read(from, part.data(), part.size())) > 0;)
        usage.output.append(part.data(), static_cast<std::size_t>(got));
    ::close(from);
    rusage used{};
    ::wait4(child, &usage.status, 0, &used);
    usage.cost.wall_ns = monotonic_ns() - begin;
    usage.cost.user_ns = in_ns(used.ru_utime);
    usage.cost.cpu_ns = usage.cost.user_ns + in_ns(used.ru_stime);
    usage.peak_kib = static_cast<std::uint64_t>(used.ru_maxrss);
    return usage;
}

void in_child(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error{errno, std::generic_category(), "fork"};
    if (child == 0) {
        int status = 0;
        try {
            work();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "bench: %s\n", error.what());
            status = 1;
        }
        std::fflush(stdout);
        ::_exit(status);
    }
    int status{};
    ::waitpid(child, &status, 0);
    if (status != 0) throw std::runtime_error{"a measured process failed"};
}

Daemon::Daemon(const std::vector<std::string>& argv) {
    const auto [from, to] = make_pipe();
    log_ = from;
    process_ = start(argv, {}, to);
    ::close(to);
}

Daemon::~Daemon() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
    ::close(log_);
}

void Daemon::wait_for(const std::string& words, std::chrono::seconds limit) {
    pollfd waiting{.fd = log_, .events = POLLIN, .revents = 0};
    std::array<char, 4096> part{};
    while (said_.find(words) == std::string::npos) {
        const auto silent = std::chrono::milliseconds{limit}.count();
        if (::poll(&waiting, 1, static_cast<int>(silent)) <= 0)
            throw std::runtime_error{"the program says nothing any more:\n" + said_};
        const auto got = ::read(log_, part.data(), part.size());
        if (got <= 0) throw std::runtime_error{"the program ended:\n" + said_};
        said_.append(part.data(), static_cast<std::size_t>(got));
    }
    said_.clear();
}

std::uint64_t Daemon::cpu_ns() const {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(process_, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
        throw std::runtime_error{"the program's CPU time cannot be read"};
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t Daemon::wakeups() const {
    return kernel_test::wakeups(process_);
}

} // namespace ipvsproxy::bench

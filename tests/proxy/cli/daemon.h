// The daemon in the background, for tests on a real kernel.
#pragma once

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace ipvsproxy::cli {

/// Waits until `holds`, for as long as a loaded machine may need. @return whether it came to that.
inline bool comes_true(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    return true;
}

/// A program in the calling thread's network namespace, its log in a file; killed at the end if it
/// still runs.
class Daemon {
public:
    Daemon(std::vector<std::string> words, std::string log_file) : log_file_{std::move(log_file)} {
        std::vector<char*> argv;
        for (auto& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        std::ofstream{log_file_};
        pid_ = ::fork();
        if (pid_ < 0) throw std::runtime_error{"fork"};
        if (pid_ > 0) return;
        const int file = ::open(log_file_.c_str(), O_WRONLY | O_APPEND);
        ::dup2(file, STDOUT_FILENO);
        ::dup2(file, STDERR_FILENO);
        ::execv(argv.front(), argv.data());
        ::_exit(127);
    }
    ~Daemon() {
        if (pid_ < 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    int pid() const noexcept { return pid_; }
    void signal(int number) const { ::kill(pid_, number); }
    std::string log() const {
        std::ifstream in{log_file_};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    bool says(const std::string& text) const {
        return comes_true([&] { return log().find(text) != std::string::npos; });
    }
    /// How often the log says so by now.
    int count(const std::string& text) const {
        const auto all = log();
        int times = 0;
        for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1))
            ++times;
        return times;
    }
    bool runs() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
    /// Its exit status, once it has ended; 128 + signal when a signal ended it; -1: it does not
    /// end.
    int end() {
        int status = 0;
        if (!comes_true([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

private:
    std::string log_file_;
    pid_t pid_{-1};
};

} // namespace ipvsproxy::cli

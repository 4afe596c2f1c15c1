#include "tests/kernel/process.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <numeric>
#include <ostream>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace ipvsproxy::kernel_test {

namespace {

/// A file without a name: neither a full pipe nor an early end of the child can block anyone.
class Scratch {
public:
    explicit Scratch(const char* name) : descriptor_(::memfd_create(name, MFD_CLOEXEC)) {
        if (descriptor_ < 0)
            throw std::system_error(errno, std::generic_category(), "memfd_create");
    }
    ~Scratch() { ::close(descriptor_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    Scratch(Scratch&&) = delete;
    Scratch& operator=(Scratch&&) = delete;

    int descriptor() const noexcept { return descriptor_; }
    void write(const std::string& text) const {
        std::ofstream{path(), std::ios::binary} << text;
        ::lseek(descriptor_, 0, SEEK_SET);
    }
    std::string text() const {
        std::ostringstream text;
        text << std::ifstream{path(), std::ios::binary}.rdbuf();
        return text.str();
    }

private:
    std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
    int descriptor_;
};

pid_t spawn(const std::vector<std::string>& argv, const Scratch& in, const Scratch& out,
            const Scratch& err) {
    std::vector<char*> words;
    words.reserve(argv.size() + 1);
    for (const auto& word : argv)
        words.push_back(const_cast<char*>(word.c_str())); // execve's type
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in.descriptor(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out.descriptor(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err.descriptor(), STDERR_FILENO);
    pid_t child{};
    const int refused =
        ::posix_spawnp(&child, words.front(), &actions, nullptr, words.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (refused != 0) throw std::system_error(refused, std::generic_category(), argv.front());
    return child;
}

int wait_for(pid_t child, const std::string& name) {
    constexpr int limit_steps = 6000;
    constexpr std::chrono::milliseconds step{10};
    int status{};
    for (int i = 0; i < limit_steps; ++i) {
        const pid_t ended = ::waitpid(child, &status, WNOHANG);
        if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (ended < 0) throw std::system_error(errno, std::generic_category(), "waitpid");
        std::this_thread::sleep_for(step);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    throw std::runtime_error(name + " took longer than a minute");
}

} // namespace

std::ostream& operator<<(std::ostream& out, const Finished& finished) {
    return out << "exit status " << finished.status << '\n' << finished.out << finished.err;
}

Finished run_command(const std::vector<std::string>& argv, const std::string& input) {
    const Scratch in{"in"};
    const Scratch out{"out"};
    const Scratch err{"err"};
    in.write(input);
    const int status = wait_for(spawn(argv, in, out, err), argv.front());
    return {.status = status, .out = out.text(), .err = err.text()};
}

std::string must_run(const std::vector<std::string>& argv, const std::string& input) {
    const auto finished = run_command(argv, input);
    if (finished.status == 0) return finished.out;
    std::ostringstream text;
    for (const auto& word : argv)
        text << word << ' ';
    text << ": " << finished;
    throw std::runtime_error(text.str());
}

} // namespace ipvsproxy::kernel_test

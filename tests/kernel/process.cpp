#include "tests/kernel/process.h"
#include "tests/kernel/running.h"

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
#include <utility>

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

struct Running::Files {
    Scratch in{"in"}, out{"out"}, err{"err"};
};

Running::Running(const std::vector<std::string>& argv, const std::string& input)
    : files_(std::make_unique<Files>()), name_(argv.front()) {
    files_->in.write(input);
    child_ = spawn(argv, files_->in, files_->out, files_->err);
}

Running::~Running() {
    if (child_ == 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
}

std::string Running::log() const {
    return files_->err.text();
}

std::size_t Running::count(const std::string& text) const {
    const auto all = log();
    std::size_t times = 0;
    for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + text.size()))
        ++times;
    return times;
}

bool Running::says(const std::string& text) const {
    return comes_true([&] { return log().find(text) != std::string::npos; });
}

bool Running::runs() const {
    siginfo_t ended{};
    ::waitid(P_PID, static_cast<id_t>(child_), &ended, WEXITED | WNOHANG | WNOWAIT);
    return ended.si_pid == 0;
}

void Running::signal(int number) const {
    ::kill(child_, number);
}

Finished Running::wait() {
    const int status = wait_for(std::exchange(child_, 0), name_);
    return {.status = status, .out = files_->out.text(), .err = files_->err.text()};
}

bool comes_true(const std::function<bool()>& holds, std::chrono::seconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    return true;
}

Finished run_command(const std::vector<std::string>& argv, const std::string& input) {
    return Running{argv, input}.wait();
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

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/kernel/process.h"

namespace ipvsproxy::kernel_test {

/// Waits until `holds`, for as long as a loaded machine may need. @return whether it came to that.
bool comes_true(const std::function<bool()>& holds,
                std::chrono::seconds limit = std::chrono::seconds{30});

/// A program that runs beside the test, in the network namespace of the thread that made it. It is
/// killed with the object.
class Running {
public:
    /// As run_command(). @throws std::system_error when it cannot be started.
    explicit Running(const std::vector<std::string>& argv, const std::string& input = {});
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    Running(Running&&) = delete;
    Running& operator=(Running&&) = delete;

    int pid() const noexcept { return child_; }
    /// What it has written to its standard error so far.
    std::string log() const;
    /// Whether `text` comes to stand in log().
    bool says(const std::string& text) const;
    /// How often `text` stands in log() by now.
    std::size_t count(const std::string& text) const;
    bool runs() const;
    void signal(int number) const;
    /// Waits for its end. @throws std::runtime_error when it takes longer than a minute.
    Finished wait();
    /// wait(), and its status.
    int end() { return wait().status; }

private:
    struct Files;
    std::unique_ptr<Files> files_;
    std::string name_;
    int child_{};
};

} // namespace ipvsproxy::kernel_test

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/kernel/process.h"

namespace ipvsproxy::kernel_test {

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

    /// What it has written to its standard error so far.
    std::string log() const;
    /// How often `text` stands in log().
    std::size_t said(const std::string& text) const;
    void send(int signal) const;
    /// Waits for its end. @throws std::runtime_error when it takes longer than a minute.
    Finished wait();

private:
    struct Files;
    std::unique_ptr<Files> files_;
    std::string name_;
    int child_{};
};

/// Whether `happened` comes true within this time; it is asked every few milliseconds.
bool eventually(const std::function<bool()>& happened,
                std::chrono::seconds limit = std::chrono::seconds{20});

} // namespace ipvsproxy::kernel_test

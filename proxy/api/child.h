// A command run beside the loop: its output comes back, its end is waited for.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <vector>

namespace ipvsproxy::api {

struct Command {
    std::string path;                       ///< or a name, looked up in PATH
    std::vector<std::string> arguments{};   ///< without the name of the command itself
    std::vector<std::string> environment{}; ///< all of it, `NAME=value`
    std::chrono::nanoseconds limit{std::chrono::minutes{1}}; ///< then it is killed
};

struct Finished {
    int exit_code{}; ///< 128 and the signal's number when one ended it, as shells have it
    std::string output{};
    std::string complaints{}; ///< standard error, its last 4 KiB
};

/// Runs it in a process group of its own, with nothing to read and none of our descriptors.
/// Whoever stops waiting kills it.
/// @throws std::system_error when it cannot be started (no_such_file_or_directory,
/// permission_denied); boost::system::system_error timed_out when it was killed for its time.
boost::asio::awaitable<Finished> run_command(Command command);

} // namespace ipvsproxy::api

// The signals that the daemon listens to.
#pragma once

#include <optional>

namespace ipvsproxy::run {

/// While it exists SIGTERM, SIGINT and SIGHUP are numbers to read, in their order, and end nothing
/// by themselves. It belongs to the process and not to a life (life.h): a signal that comes between
/// two lives is the next one's. One at a time.
class Signals {
public:
    /// @throws std::system_error when there is no pipe to be had (EMFILE).
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    /// Becomes readable when there is one to take().
    int fd() const noexcept { return ends_[0]; }
    /// Nothing when none has come.
    std::optional<int> take();

private:
    int ends_[2]{-1, -1}; // NOLINT(modernize-avoid-c-arrays): pipe2(2) wants it
};

} // namespace ipvsproxy::run

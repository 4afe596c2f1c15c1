// Small files that are replaced while we run: tokens and certificates.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace ipvsproxy::api {

/// @throws std::system_error with the file's name and errno; also for a file of more than 1 MiB.
std::string read_file(const std::string& path);

/// A file that is read again as it rotates. What was read last stays good while it cannot be read,
/// which is logged once.
class RotatingFile {
public:
    using Moment = std::chrono::steady_clock::time_point;
    /// @param period how old what was read may become.
    RotatingFile(std::string path, std::chrono::nanoseconds period)
        : path_{std::move(path)}, period_{period} {}

    /// @throws std::system_error when it has never been read.
    const std::string& text(Moment now);
    /// The next text() reads it, however young the last one is.
    void doubt() noexcept { read_at_.reset(); }
    const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
    std::chrono::nanoseconds period_;
    std::optional<Moment> read_at_{};
    std::optional<std::string> text_{};
    bool failing_{};
};

} // namespace ipvsproxy::api

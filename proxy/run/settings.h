// The options in force, and what becomes of them when their file changes.
#pragma once

#include <functional>
#include <optional>

#include "proxy/config/options.h"
#include "proxy/files/watch.h"

namespace ipvsproxy::run {

/// Belongs to the process; each life (life.h) runs with options(). A file that says the same, or
/// cannot be used, changes nothing; one that says something else is next() until the life has ended
/// for it (D-18).
class Settings {
public:
    using Read = std::function<config::Result<config::Options>()>;

    /// @param read of file and flags, completed and validated
    Settings(config::Options first, Read read);

    const config::Options& options() const noexcept { return options_; }
    /// Of the configuration file; null when there is none.
    files::Watch* watch() noexcept { return watch_ ? &*watch_ : nullptr; }

    /// Reads again. What is wrong is logged, once until it changes; a change of the log's settings
    /// alone is put in force at once. @return whether there are other options to live with.
    bool look();
    /// What look() found; null when there is nothing else to live with.
    const config::Options* next() const noexcept { return next_ ? &*next_ : nullptr; }
    /// These options have proved to work on this node.
    void prove() noexcept { previous_.reset(); }

    /// Puts what look() found in force. To be called between two lives.
    void advance();
    /// Puts in force again what was before advance(), unless the newer options had been proved.
    /// @return whether it did.
    bool revert();

private:
    config::Options options_;
    Read read_;
    std::optional<files::Watch> watch_{};
    std::optional<config::Options> next_{}, previous_{};
    std::optional<config::Options> failed_{}; ///< was reverted: not to be tried again as it stands
    std::string told_{};                      ///< the last thing that was wrong
};

} // namespace ipvsproxy::run

// `-f FILE|DIR|-`: manifests to a model::Store, once and whenever they change.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "proxy/files/layers.h"
#include "proxy/files/paths.h"
#include "proxy/files/reading.h"

namespace ipvsproxy::files {

/// How long to wait after a watch has noticed something before looking: an editor that moves a file
/// away and writes it anew, or a folder that is swapped for another, is then seen as one change.
inline constexpr std::chrono::milliseconds settle{100};

/// Takes each line of the log once, until what it says changes.
using Say = std::function<void(const Message&)>;

/// Keeps a store equal to what the manifests say.
/// - An object given by several files: the last file in name order counts; when it goes, or no
/// longer
///   gives the object, the one before counts again.
/// - A file that is no YAML or JSON, or cannot be read, keeps what it gave before; so does a
///   malformed object, alone. What is gone gives nothing, a whole folder too.
/// - Objects of other kinds are named once a kind and passed over.
/// To miss nothing make the Watch first, then call read_all(). One thread.
class Source {
public:
    /// @param store outlives this, and holds nothing that others put there under the same names.
    Source(Where where, model::Store& store, Say say);

    /// Reads everything there is, whatever its time stamps say; standard input the first time
    /// only.
    void read_all();
    /// Reads again what may have changed. Files with the same content cost a read and no more, but
    /// for the first time.
    void refresh(const Changed& changed);
    /// How many of the files, and of the paths given, have errors now. 0: all was read as it
    /// stands.
    std::size_t in_error() const { return in_error_.size(); }
    /// How many of those could not be read at all, so that what they ask for is not known; the
    /// others hold an object or more that was refused.
    std::size_t unread() const;
    /// The files that were read, in name order.
    std::vector<std::string> files() const;

private:
    /// Tells a file's versions apart without reading it (stat(2)).
    struct Stamp {
        std::uint64_t device{}, inode{};
        std::int64_t size{}, modified_ns{}, changed_ns{};
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    struct File {
        std::optional<Stamp> stamp{};
        std::optional<std::uint64_t> content{}; ///< a hash, of a file that was read twice
        bool was_read{};
    };
    struct Listing {
        std::set<std::string> files{}, folders{};
        std::set<std::string> unreadable{}; ///< folders that could not be listed
    };

    Listing list();
    void list_folder(const std::string& folder, Listing& listing, std::vector<std::string>& deeper);
    enum class Look : std::uint8_t { if_stamped_anew, surely };
    void scan(Look how);
    void look(const std::string& file, Look how);
    bool is_given(const std::string& path) const;
    void read(const std::string& file, const std::optional<Stamp>& stamp);
    void cannot_read(const std::string& file, int error);
    void accept(const std::string& file, Reading&& reading);
    void forget(const std::string& file);
    /// Says what is new of this; what was said of `path` before and is not in it may be said again.
    void report(const std::string& path, const std::vector<Message>& messages);
    void report_contested();
    bool watches_over(const std::string& path) const;

    Where where_;
    Say say_;
    Layers layers_;
    std::map<std::string, File> files_{};
    std::set<std::string> folders_{}; ///< that the last listing went through
    std::map<std::string, std::set<Message>> said_{};
    std::set<std::string> in_error_{};
    std::set<std::string> legible_{}; ///< files whose last reading told their objects apart
    std::set<std::string> kinds_named_{};
    std::set<std::string> contested_said_{};
};

} // namespace ipvsproxy::files

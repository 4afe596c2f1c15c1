// Notices that manifests may have changed: inotify(7) on the folders they are in.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "proxy/files/paths.h"

namespace ipvsproxy::files {

/// Watches the folders given, the folders of the files given, every folder on the way to them, and
/// what links among them point to. So it sees a file that is written in place (once it is closed)
/// or replaced by another, a link that is turned elsewhere (as kubelet does with a ConfigMap's
/// "..data"), and a path that appears, goes and comes again. Noticing too much is harmless; what is
/// half written is not noticed. One thread.
class Watch {
public:
    /// @throws std::system_error when there is no inotify to be had (EMFILE).
    explicit Watch(Where where);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// Becomes readable when there is something to read(); does not block.
    int fd() const noexcept { return fd_; }
    /// What may have changed since the last call. Takes all there is. Watches what has newly come.
    /// @throws std::system_error when inotify cannot be read.
    Changed read();
    /// False when a folder could not be watched (no right to read it, or
    /// fs.inotify.max_user_watches reached): then look at everything from time to time.
    bool complete() const noexcept { return complete_; }

private:
    /// What an event in a folder means.
    struct Interest {
        std::string name;   ///< of the entry; empty for every manifest
        std::string report; ///< the path to report; for every manifest, of the folder
        bool last{};        ///< a name that is the end of its path, not a step on the way
    };

    struct Folder {
        std::string path; ///< by which it was found
        std::vector<Interest> interests{};
    };

    void arm();
    Folder* add(const std::string& path, std::uint32_t mask);
    bool follow(const std::string& given);
    void watch_folder(const std::string& path, std::vector<std::string>& deeper);
    void take(int descriptor, std::uint32_t mask, std::string_view name, Changed& changed);
    bool concerns(const Interest& interest, const std::string& folder, std::uint32_t mask,
                  std::string_view name, Changed& changed) const;

    Where where_;
    int fd_{-1};
    bool complete_{true};
    bool stale_{};                    ///< folders or links have changed: arm() again
    std::map<int, Folder> folders_{}; ///< by watch descriptor
};

} // namespace ipvsproxy::files

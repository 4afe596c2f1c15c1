#include "proxy/files/watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <dirent.h>
#include <filesystem>
#include <memory>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace ipvsproxy::files {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t came_or_went = IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;
constexpr std::uint32_t folder_itself = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;
/// Of a folder on the way to a path. IN_ATTRIB: a right to read may have come.
constexpr std::uint32_t on_the_way = came_or_went | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
/// Of a folder with manifests. Not IN_MODIFY: a file counts when it is closed.
constexpr std::uint32_t with_files = on_the_way | IN_CLOSE_WRITE;

/// Whether a new entry says something already: a file that was just made has yet to be written and
/// closed; a link or a folder is what it is.
bool is_whole(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return true; // gone again
    return !S_ISREG(status.st_mode) || status.st_nlink > 1;
}

bool is_link(const std::string& path) {
    std::error_code ignored; // what cannot be asked is no link we can follow
    return fs::is_symlink(fs::symlink_status(path, ignored));
}

} // namespace

Watch::Watch(Where where)
    : where_{std::move(where)}, fd_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)} {
    if (fd_ < 0) throw std::system_error{errno, std::generic_category(), "inotify_init1"};
    for (auto& path : where_.paths)
        path = tidied(path);
    arm();
}

Watch::~Watch() {
    ::close(fd_);
}

/// Watches a folder, before anything in it is looked at, so that nothing falls between.
/// @return nothing when it cannot be watched.
Watch::Folder* Watch::add(const std::string& path, std::uint32_t mask) {
    const int descriptor = ::inotify_add_watch(fd_, path.c_str(), mask | IN_ONLYDIR | IN_MASK_ADD);
    if (descriptor < 0) {
        if (errno != ENOENT && errno != ENOTDIR) complete_ = false;
        return nullptr;
    }
    auto& folder = folders_[descriptor];
    folder.path = path;
    return &folder;
}

/// Finds everything anew. What was watched and is of no interest any more is let go.
void Watch::arm() {
    const auto before = std::exchange(folders_, {});
    complete_ = true;
    stale_ = false;
    for (const auto& given : where_.paths) {
        if (given == standard_input) continue;
        std::error_code ignored; // a path that cannot be asked is no folder
        if (!follow(given) || !fs::is_directory(given, ignored)) continue;
        std::vector<std::string> folders{given};
        while (!folders.empty()) {
            const auto folder = std::move(folders.back());
            folders.pop_back();
            watch_folder(folder, folders);
        }
    }
    for (const auto& [descriptor, folder] : before)
        if (!folders_.contains(descriptor)) ::inotify_rm_watch(fd_, descriptor);
}

/// Watches every entry on the way to a path, through links too. @return whether it is there.
bool Watch::follow(const std::string& given) {
    std::error_code error;
    std::vector<fs::path> steps; // the next one last
    const auto prepend = [&steps](const fs::path& path) {
        const auto first = steps.size();
        for (const auto& step : path.relative_path())
            steps.push_back(step);
        std::reverse(steps.begin() + static_cast<std::ptrdiff_t>(first), steps.end());
    };
    prepend(fs::absolute(given, error));
    fs::path at = "/";
    int links_left = 40; // as many as the kernel follows (MAXSYMLINKS)
    while (!steps.empty()) {
        const auto step = std::exchange(steps.back(), {});
        steps.pop_back();
        if (step.empty() || step == ".") continue;
        if (step == "..") {
            at = at.parent_path();
            continue;
        }
        const bool last = steps.empty();
        if (auto* folder = add(at, last ? with_files : on_the_way))
            folder->interests.push_back({step.string(), given, last});
        const auto status = fs::symlink_status(at / step, error);
        if (!fs::exists(status)) return false;
        if (!fs::is_symlink(status)) {
            at /= step;
            continue;
        }
        const auto target = fs::read_symlink(at / step, error);
        if (error || links_left-- == 0) return false;
        if (target.is_absolute()) at = "/";
        prepend(target);
    }
    return true;
}

/// @param deeper takes the subfolders to watch too.
void Watch::watch_folder(const std::string& path, std::vector<std::string>& deeper) {
    auto* folder = add(path, with_files);
    if (folder == nullptr) return;
    folder->interests.push_back({{}, path, false});
    std::error_code error;
    for (fs::directory_iterator entry{path, error}, end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        std::error_code gone; // an entry that cannot be asked is neither link nor folder
        const auto status = entry->symlink_status(gone);
        if (fs::is_symlink(status) && is_manifest(name)) follow(joined(path, name));
        else if (where_.recursive && fs::is_directory(status) && !name.starts_with('.'))
            deeper.push_back(joined(path, name));
    }
    if (error) complete_ = false;
}

Changed Watch::read() {
    Changed changed;
    alignas(inotify_event) std::array<char, 65536> buffer{};
    for (;;) {
        const auto size = ::read(fd_, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) break;
        if (size <= 0) throw std::system_error{errno, std::generic_category(), "inotify"};
        for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* name = buffer.data() + at + sizeof event;
            at += sizeof event + event.len;
            take(event.wd, event.mask, event.len == 0 ? std::string_view{} : name, changed);
        }
    }
    if (stale_) {
        arm();
        changed.everything = true; // what came before it was watched was not noticed
    }
    return changed;
}

void Watch::take(int descriptor, std::uint32_t mask, std::string_view name, Changed& changed) {
    if ((mask & IN_Q_OVERFLOW) != 0) {
        stale_ = true;
        return;
    }
    const auto found = folders_.find(descriptor);
    if (found == folders_.end()) return; // let go already
    const auto& [path, interests] = found->second;
    if ((mask & folder_itself) != 0) {
        stale_ = true;
        return;
    }
    for (const auto& interest : interests)
        if (concerns(interest, path, mask, name, changed)) stale_ = true;
}

/// @return whether other folders may have to be watched now.
bool Watch::concerns(const Interest& interest, const std::string& folder, std::uint32_t mask,
                     std::string_view name, Changed& changed) const {
    const bool entry_changed = (mask & came_or_went) != 0;
    const bool is_folder = (mask & IN_ISDIR) != 0;
    const auto path = joined(folder, name);
    if ((mask & IN_CREATE) != 0 && !is_whole(path)) return false;
    if (!interest.name.empty()) {
        if (interest.name != name) return false;
        if (is_folder) return true;
        changed.paths.insert(interest.report);
        return entry_changed && (!interest.last || is_link(path));
    }
    if (is_folder) return where_.recursive && !name.starts_with('.');
    if (!is_manifest(name)) return false;
    changed.paths.insert(joined(interest.report, name));
    return entry_changed && is_link(path);
}

} // namespace ipvsproxy::files

#include "proxy/files/source.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace ipvsproxy::files {
namespace {

constexpr std::size_t max_size = std::size_t{64} << 20U; ///< of a file

std::string words(int error) {
    return std::generic_category().message(error);
}
Message trouble(const std::string& path, const std::string& what) {
    return {Severity::error, path + ": " + what};
}

/// A file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_{fd} {}
    ~Descriptor() {
        if (fd_ > STDIN_FILENO) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

constexpr std::size_t piece_size = 65536;

/// Hands out a file in pieces of that size; the last one is smaller.
/// @return the errno of what went wrong; EFBIG beyond the limit.
template <class Take> int read_pieces(const std::string& path, const Take& take) {
    const Descriptor file{path == standard_input ? STDIN_FILENO
                                                 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.get() < 0) return errno;
    std::array<char, piece_size> buffer; // NOLINT(*-member-init): read(2) fills it
    std::size_t held = 0, total = 0;
    for (;;) {
        const auto count = ::read(file.get(), buffer.data() + held, buffer.size() - held);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno;
        held += static_cast<std::size_t>(count);
        total += static_cast<std::size_t>(count);
        if (total > max_size) return EFBIG;
        if (count > 0 && held < buffer.size()) continue;
        if (held > 0) take(std::string_view{buffer.data(), held});
        if (count == 0) return 0;
        held = 0;
    }
}

/// Of a text in pieces, so that it can be told from another without keeping either.
class Content {
public:
    void add(std::string_view piece) {
        hash_ = (hash_ ^ std::hash<std::string_view>{}(piece)) * 0x9e3779b97f4a7c15U;
    }
    std::uint64_t hash() const noexcept { return hash_; }

private:
    std::uint64_t hash_{};
};

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

struct CloseFolder {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

/// The names in a folder, in order. @return the errno when it cannot be read.
int entries(const std::string& folder, std::set<std::string>& names) {
    const std::unique_ptr<DIR, CloseFolder> open{::opendir(folder.c_str())};
    if (!open) return errno;
    for (;;) {
        errno = 0;
        const auto* entry =
            ::readdir(open.get()); // NOLINT(concurrency-mt-unsafe): a DIR of our own
        if (entry == nullptr) return errno;
        names.emplace(static_cast<const char*>(entry->d_name));
    }
}

} // namespace

Source::Source(Where where, model::Store& store, Say say)
    : where_{std::move(where)}, say_{std::move(say)}, layers_{store} {
    for (auto& path : where_.paths)
        path = tidied(path);
}

void Source::read_all() {
    scan(Look::surely);
    report_contested();
}

void Source::refresh(const Changed& changed) {
    bool everything = changed.everything;
    for (const auto& path : changed.paths) {
        struct stat status {};
        // What is not a plain file may have been a folder, or a link, and hide any number of files.
        const bool plain =
            ::stat(path.c_str(), &status) == 0 ? S_ISREG(status.st_mode) : files_.contains(path);
        if (!plain) everything = true;
        else if (watches_over(path)) look(path, Look::surely);
    }
    if (everything) scan(Look::if_stamped_anew);
    report_contested();
}

std::size_t Source::unread() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        in_error_, [&](const std::string& path) { return !legible_.contains(path); }));
}

std::vector<std::string> Source::files() const {
    std::vector<std::string> names;
    for (const auto& [name, file] : files_)
        names.push_back(name);
    return names;
}

/// Whether the path is one of ours: given itself, or a manifest in a folder given.
bool Source::watches_over(const std::string& path) const {
    return std::ranges::any_of(where_.paths, [&](const std::string& given) {
        if (path == given) return true;
        const auto folder = joined(given, {});
        if (!path.starts_with(folder)) return false;
        auto rest = std::string_view{path}.substr(folder.size());
        for (auto slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
            if (!where_.recursive || rest.starts_with('.')) return false;
            rest.remove_prefix(slash + 1);
        }
        return is_manifest(rest);
    });
}

Source::Listing Source::list() {
    Listing listing;
    for (const auto& path : where_.paths) {
        struct stat status {};
        if (path != standard_input && ::stat(path.c_str(), &status) != 0) {
            const int error = errno;
            report(path, {trouble(path, words(error))});
            if (error != ENOENT && error != ENOTDIR) listing.unreadable.insert(path);
        } else if (S_ISDIR(status.st_mode)) {
            std::vector<std::string> folders{path};
            while (!folders.empty()) {
                const auto folder = std::move(folders.back());
                folders.pop_back();
                list_folder(folder, listing, folders);
            }
        } else {
            listing.files.insert(path);
        }
    }
    return listing;
}

/// @param deeper takes the subfolders to list too.
void Source::list_folder(const std::string& folder, Listing& listing,
                         std::vector<std::string>& deeper) {
    listing.folders.insert(folder);
    std::set<std::string> names;
    if (const int error = entries(folder, names); error != 0) {
        report(folder, {trouble(folder, words(error))});
        listing.unreadable.insert(folder);
        return;
    }
    report(folder, {});
    for (const auto& name : names) {
        const auto path = joined(folder, name);
        struct stat status {};
        if (name.starts_with('.') || ::lstat(path.c_str(), &status) != 0) continue; // gone since
        if (S_ISDIR(status.st_mode) && where_.recursive) deeper.push_back(path);
        if (!is_manifest(name)) continue;
        const bool known = ::stat(path.c_str(), &status) == 0;
        // A link to nothing, or to itself, is nothing; what else cannot be asked, reading will say.
        if (known ? S_ISREG(status.st_mode) : errno != ENOENT && errno != ELOOP)
            listing.files.insert(path);
    }
}

void Source::scan(Look how) {
    const auto listing = list();
    for (const auto& folder : std::exchange(folders_, listing.folders))
        if (!listing.folders.contains(folder) && !is_given(folder)) report(folder, {});
    // What stands in a folder that cannot be listed may still be there.
    const auto hidden = [&](const std::string& file) {
        return std::ranges::any_of(listing.unreadable, [&](const std::string& folder) {
            return file == folder || file.starts_with(joined(folder, {}));
        });
    };
    std::vector<std::string> gone;
    for (const auto& [file, known] : files_)
        if (!listing.files.contains(file) && !hidden(file)) gone.push_back(file);
    for (const auto& file : gone)
        forget(file);
    for (const auto& file : listing.files)
        look(file, how);
}

/// Reads a file if it is another than the one that was read last.
void Source::look(const std::string& file, Look how) {
    if (file == standard_input) {
        if (!files_[file].was_read) read(file, std::nullopt);
        return;
    }
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return cannot_read(file, errno);
    const Stamp stamp{status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim),
                      nanoseconds(status.st_ctim)};
    const bool regular = S_ISREG(status.st_mode);
    const auto known = files_.find(file);
    const bool was_read = known != files_.end() && known->second.was_read;
    if (was_read && !regular) return; // a pipe can be read once
    // Two writes within one tick of the kernel's clock may have one stamp: what was named is read.
    if (was_read && how == Look::if_stamped_anew && known->second.stamp == stamp) return;
    read(file, stamp);
}

void Source::read(const std::string& file, const std::optional<Stamp>& stamp) {
    const auto known = files_.find(file);
    const bool again = known != files_.end() && known->second.was_read;
    if (again && known->second.content && !in_error_.contains(file)) {
        Content seen; // one more look at what is mostly the same costs no decoding
        const int error = read_pieces(file, [&](std::string_view piece) { seen.add(piece); });
        if (error != 0) return cannot_read(file, error);
        if (seen.hash() == known->second.content) {
            known->second.stamp = stamp;
            return;
        }
    }
    std::optional<Content> content; // most files are read once and never change
    if (again) content.emplace();
    ManifestReader reader{file};
    const int error = read_pieces(file, [&](std::string_view piece) {
        if (content) content->add(piece);
        reader.feed(piece);
    });
    if (error != 0) return cannot_read(file, error);
    files_.insert_or_assign(
        file, File{stamp, content ? std::optional{content->hash()} : std::nullopt, true});
    accept(file, reader.finish());
}

/// What is gone gives nothing; what cannot be read gives what it gave.
void Source::cannot_read(const std::string& file, int error) {
    const bool gone = error == ENOENT || error == ENOTDIR;
    legible_.erase(file);
    if (gone) forget(file);
    if (!gone || is_given(file)) report(file, {trouble(file, words(error))});
}

void Source::accept(const std::string& file, Reading&& reading) {
    report(file, reading.messages);
    for (const auto& kind : reading.passed_over) {
        if (!kinds_named_.insert(kind).second) continue;
        auto text = file;
        say_(
            {Severity::note, text.append(": objects of ").append(kind).append(" are passed over")});
    }
    if (reading.broken) {
        legible_.erase(file);
        return;
    }
    legible_.insert(file);
    auto kept = reading.refused;
    if (reading.anonymous) kept.merge(layers_.given_by(file));
    layers_.replace(file, std::move(reading.objects), kept);
}

void Source::forget(const std::string& file) {
    layers_.remove(file);
    files_.erase(file);
    legible_.erase(file);
    if (!is_given(file)) report(file, {});
}

bool Source::is_given(const std::string& path) const {
    return std::ranges::find(where_.paths, path) != where_.paths.end();
}

void Source::report(const std::string& path, const std::vector<Message>& messages) {
    auto& said = said_[path];
    std::set<Message> now;
    bool error = false;
    for (const auto& message : messages) {
        if (!said.contains(message) && !now.contains(message)) say_(message);
        now.insert(message);
        error = error || message.severity == Severity::error;
    }
    said = std::move(now);
    if (error) in_error_.insert(path);
    else in_error_.erase(path);
    if (said.empty()) said_.erase(path);
}

void Source::report_contested() {
    std::set<std::string> now;
    for (const auto& [key, files] : layers_.contested()) {
        std::string text = key.text() + " is given by ";
        for (const auto& file : files)
            text.append(file).append(file == files.back() ? ": " : ", ");
        text += "the last one counts";
        if (!contested_said_.contains(text)) say_({Severity::warning, text});
        now.insert(std::move(text));
    }
    contested_said_ = std::move(now);
}

} // namespace ipvsproxy::files

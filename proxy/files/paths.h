// Where manifests are looked for, and what may have changed there.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ipvsproxy::files {

/// The path that stands for standard input.
inline constexpr std::string_view standard_input = "-";

/// What `-f` names: files, folders, "-".
struct Where {
    std::vector<std::string> paths{};
    bool recursive{}; ///< folders with their subfolders, but not through links to folders
};

/// What a watch has noticed. Paths begin as those of Where do.
struct Changed {
    bool everything{}; ///< look at all again: events were lost, or folders and links have changed
    std::set<std::string> paths{}; ///< of files
    bool any() const { return everything || !paths.empty(); }
    friend bool operator==(const Changed&, const Changed&) = default;
};

/// Whether a folder's entry of this name is a manifest: *.yaml, *.yml or *.json, not hidden (so
/// that of a mounted ConfigMap neither "..data" nor what it points to is read a second time).
bool is_manifest(std::string_view name);
/// `folder/name`.
std::string joined(const std::string& folder, std::string_view name);
/// As given, less the slashes at its end.
std::string tidied(std::string path);

} // namespace ipvsproxy::files

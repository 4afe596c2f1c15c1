#include "proxy/files/paths.h"

namespace ipvsproxy::files {

bool is_manifest(std::string_view name) {
    if (name.starts_with('.')) return false;
    return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

std::string joined(const std::string& folder, std::string_view name) {
    std::string path = folder;
    if (!path.ends_with('/')) path += '/';
    return path += name;
}

std::string tidied(std::string path) {
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

} // namespace ipvsproxy::files

#include "netlink/memory_sysctl.h"

namespace ipvsproxy {

std::optional<std::string> MemorySysctls::read(const std::string& name) {
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional{found->second};
}

std::error_code MemorySysctls::write(const std::string& name, const std::string& value) {
    if (const auto refused = refused_.find(name); refused != refused_.end()) return refused->second;
    const auto found = values_.find(name);
    if (found == values_.end()) return std::make_error_code(std::errc::no_such_file_or_directory);
    found->second = value;
    ++writes_;
    return {};
}

void MemorySysctls::refuse(const std::string& name, std::error_code error) {
    if (error) refused_.insert_or_assign(name, error);
    else refused_.erase(name);
}

} // namespace ipvsproxy

#include "proxy/cli/kernel_signs.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <net/if.h>
#include <unistd.h>

namespace ipvsproxy::cli {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
    std::ifstream in{path};
    std::string line;
    std::getline(in, line);
    return line;
}

/// The words of a process's command line.
std::vector<std::string> command_line(const fs::path& process) {
    std::ifstream in{process / "cmdline"};
    std::vector<std::string> words;
    for (std::string word; std::getline(in, word, '\0');)
        words.push_back(word);
    return words;
}

bool is_proxy(const fs::path& process, const std::string& name) {
    if (name == "kube-proxy") return true;
    if (name != "ipvsproxy") return false;
    const auto words = command_line(process);
    return words.size() < 2 || words[1] == "run" || words[1].starts_with('-');
}

} // namespace

std::uint64_t effective_capabilities() {
    std::ifstream in{"/proc/thread-self/status"};
    for (std::string line; std::getline(in, line);) {
        constexpr std::string_view key = "CapEff:\t";
        if (!line.starts_with(key)) continue;
        std::uint64_t bits = 0;
        std::from_chars(line.data() + key.size(), line.data() + line.size(), bits, 16);
        return bits;
    }
    return 0;
}

std::vector<Process> running_proxies() {
    std::vector<Process> found;
    std::error_code ignored; // a process may end while it is looked at
    const auto own = fs::read_symlink("/proc/thread-self/ns/net", ignored);
    for (const auto& entry : fs::directory_iterator{"/proc", ignored}) {
        const auto text = entry.path().filename().string();
        int pid = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
        if (error != std::errc{} || end != text.data() + text.size() || pid == ::getpid()) continue;
        auto name = first_line(entry.path() / "comm");
        if (!is_proxy(entry.path(), name)) continue;
        if (fs::read_symlink(entry.path() / "ns/net", ignored) != own) continue;
        found.push_back({pid, std::move(name)});
    }
    std::ranges::sort(found);
    return found;
}

std::vector<std::string> link_names() {
    std::vector<std::string> names;
    auto* const all = ::if_nameindex();
    for (const auto* link = all; link != nullptr && link->if_index != 0; ++link)
        names.emplace_back(link->if_name);
    ::if_freenameindex(all);
    return names;
}

std::vector<std::string> bridges_with_ports(const std::vector<std::string>& links) {
    std::vector<std::string> found;
    for (const auto& link : links) {
        std::error_code error; // it is no bridge, or has gone
        const fs::directory_iterator ports{"/sys/class/net/" + link + "/brif", error};
        if (!error && ports != fs::directory_iterator{}) found.push_back(link);
    }
    return found;
}

bool managed_by_network_manager(const std::string& link) {
    const auto index = ::if_nametoindex(link.c_str());
    if (index == 0) return false;
    std::ifstream in{"/run/NetworkManager/devices/" + std::to_string(index)};
    for (std::string line; std::getline(in, line);)
        if (line == "managed=true") return true;
    return false;
}

bool is_writable(const std::string& path) {
    return ::access(path.c_str(), W_OK) == 0;
}

} // namespace ipvsproxy::cli

// The node's own iptables and ipset, to compare with.
#pragma once

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "tests/proxy/iptables/recorded_rules.h"

namespace ipvsproxy::iptables {

/// What a command prints; it runs in the calling thread's network namespace.
/// @throws std::runtime_error when it fails.
inline std::string output_of(const std::string& command) {
    std::string out;
    std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r"); // NOLINT(cert-env33-c)
    if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
    std::array<char, 4096> chunk{};
    for (std::size_t count = 0; (count = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;)
        out.append(chunk.data(), count);
    if (::pclose(pipe) != 0) throw std::runtime_error(command + ": " + out);
    return out;
}

/// Makes the sets that the test's rules name.
inline void create_sets(Family family) {
    std::string lines;
    for (const TestSet& set : test_sets(family)) {
        lines += "create " + set.name + " " + set.type;
        if (set.type == "bitmap:port") lines += " range 0-65535\\n";
        else lines += family == Family::v4 ? " family inet\\n" : " family inet6\\n";
    }
    output_of("printf '" + lines + "' | ipset restore");
}

} // namespace ipvsproxy::iptables

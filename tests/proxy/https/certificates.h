// Certificates for tests, made when they are needed.
#pragma once

#include <filesystem>
#include <string>

namespace ipvsproxy::https_test {

/// A certificate and its key, as PEM.
struct Identity {
    std::string certificate, key;
};

/// A folder of its own that goes with it; makes certificates in it, which takes some 20 ms each.
class Authority {
public:
    Authority();
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;
    ~Authority();

    /// @param names as openssl has them: `DNS:kubernetes,IP:10.96.0.1`; may be empty.
    Identity issue(const std::string& common_name, const std::string& names);
    const std::string& certificate() const { return own_.certificate; }
    const std::filesystem::path& folder() const { return folder_; }
    /// Writes a file there. @return its path.
    std::string write(const std::string& name, const std::string& text) const;

private:
    Identity make(const std::string& common_name, const std::string& extra);
    std::filesystem::path folder_;
    Identity own_;
};

} // namespace ipvsproxy::https_test

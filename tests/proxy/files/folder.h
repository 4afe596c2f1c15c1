// A folder of its own for each test, gone at its end.
#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace ipvsproxy::files {

class Folder {
public:
    explicit Folder(const std::filesystem::path& below = std::filesystem::temp_directory_path()) {
        std::string name = (below / "manifests-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp " + name};
        path_ = name;
    }
    ~Folder() {
        std::error_code ignored; // a test's leavings are no failure
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string path(const std::string& name = {}) const {
        return name.empty() ? path_ : path_ + "/" + name;
    }
    /// In place, as a shell's `>` does.
    void write(const std::string& name, const std::string& text) const {
        std::ofstream out{path(name), std::ios::trunc};
        out << text;
        if (!out.flush()) throw std::runtime_error{"cannot write " + name};
    }
    /// Beside and renamed over, as careful programs do.
    void replace(const std::string& name, const std::string& text) const {
        write(name + ".new", text);
        std::filesystem::rename(path(name + ".new"), path(name));
    }
    void remove(const std::string& name) const { std::filesystem::remove_all(path(name)); }
    void make(const std::string& name) const { std::filesystem::create_directories(path(name)); }
    void rename(const std::string& from, const std::string& to) const {
        std::filesystem::rename(path(from), path(to));
    }
    void link(const std::string& target, const std::string& name) const {
        std::filesystem::create_symlink(target, path(name));
    }

private:
    std::string path_;
};

inline std::string service_yaml(const std::string& name, const std::string& address,
                                const std::string& port = "80") {
    return "kind: Service\napiVersion: v1\nmetadata: {name: " + name +
           "}\nspec:\n  clusterIP: " + address + "\n  ports: [{port: " + port + "}]\n---\n";
}
inline std::string node_yaml(const std::string& name) {
    return "kind: Node\napiVersion: v1\nmetadata: {name: " + name + "}\n---\n";
}
inline std::string slice_yaml(const std::string& name, const std::string& service) {
    return "kind: EndpointSlice\napiVersion: discovery.k8s.io/v1\nmetadata:\n  name: " + name +
           "\n  labels: {kubernetes.io/service-name: " + service +
           "}\naddressType: IPv4\nports: [{name: '', port: 80}]\n"
           "endpoints: [{addresses: [10.0.0.1]}]\n---\n";
}

} // namespace ipvsproxy::files

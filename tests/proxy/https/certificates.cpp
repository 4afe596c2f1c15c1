#include "tests/proxy/https/certificates.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace ipvsproxy::https_test {
namespace {

std::string read(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream{path}.rdbuf();
    return text.str();
}

} // namespace

Authority::Authority() {
    std::string name = (std::filesystem::temp_directory_path() / "certificates-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
    folder_ = name;
    own_ = make("test CA", "");
    write("ca.crt", own_.certificate);
    write("ca.key", own_.key);
}

Authority::~Authority() {
    std::filesystem::remove_all(folder_);
}

std::string Authority::write(const std::string& name, const std::string& text) const {
    // As kubelet does: a file that is read meanwhile is whole, before or after.
    std::ofstream{folder_ / (name + ".new")} << text;
    std::filesystem::rename(folder_ / (name + ".new"), folder_ / name);
    return (folder_ / name).string();
}

Identity Authority::make(const std::string& common_name, const std::string& extra) {
    const auto key = (folder_ / "made.key").string();
    const auto certificate = (folder_ / "made.crt").string();
    const auto command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
                         "-nodes -days 2 -subj '/CN=" +
                         common_name + "' -keyout " + key + " -out " + certificate + extra +
                         " 2>/dev/null";
    if (std::system(command.c_str()) != 0)
        throw std::runtime_error{command}; // NOLINT(*-env33-c,concurrency-*)
    return {read(certificate), read(key)};
}

Identity Authority::issue(const std::string& common_name, const std::string& names) {
    const auto ca = (folder_ / "ca").string();
    return make(common_name, " -CA " + ca + ".crt -CAkey " + ca +
                                 ".key -addext basicConstraints=critical,CA:FALSE" +
                                 (names.empty() ? "" : " -addext subjectAltName=" + names));
}

} // namespace ipvsproxy::https_test

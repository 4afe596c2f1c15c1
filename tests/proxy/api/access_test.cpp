#include "proxy/api/access.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "proxy/api/read_file.h"
#include "tests/proxy/https/certificates.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;
using https_test::Authority;

namespace {

AccessSearch search(std::map<std::string, std::string> environment) {
    AccessSearch result;
    result.environment = [known = std::move(environment)](const char* name) {
        const auto at = known.find(name);
        return at == known.end() ? std::string{} : at->second;
    };
    return result;
}

} // namespace

TEST_CASE("Without kubeconfig and master the pod's service account is used", "[api]") {
    const Authority folder;
    folder.write("token", "abc\n");
    auto pod =
        search({{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}});
    pod.service_account = folder.folder().string();
    const auto access = find_access(pod);
    CHECK(access.server.text() == "https://10.96.0.1:443");
    CHECK(access.token.file == pod.service_account + "/token");
    CHECK(access.ca.file == pod.service_account + "/ca.crt");
    pod = search({{"KUBERNETES_SERVICE_HOST", "fd00::1"}, {"KUBERNETES_SERVICE_PORT", "443"}});
    pod.service_account = folder.folder().string();
    CHECK(find_access(pod).server.text() == "https://[fd00::1]:443");
}

TEST_CASE("Outside of a pod it is told what to set", "[api]") {
    CHECK_THROWS_WITH(
        find_access(search({})),
        Catch::EndsWith("set clientConnection.kubeconfig or --master, or name manifests with -f"));
    auto pod =
        search({{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}});
    pod.service_account = "/nowhere";
    CHECK_THROWS_WITH(
        find_access(pod),
        Catch::StartsWith("the pod has no service account token: /nowhere/token: No such file"));
}

TEST_CASE("A master alone is reached without credentials", "[api]") {
    auto master = search({});
    master.master = "127.0.0.1:8080";
    CHECK(find_access(master).server.text() == "http://127.0.0.1:8080");
    CHECK(find_access(master).token.empty());
    master.master = "ftp://x";
    CHECK_THROWS_WITH(find_access(master),
                      "--master=ftp://x is no URL of a server: scheme \"ftp\" is not known");
}

TEST_CASE("A kubeconfig that is not there is an error", "[api]") {
    auto missing = search({});
    missing.kubeconfig = "/no/such/file";
    CHECK_THROWS_WITH(
        find_access(missing),
        "kubeconfig (clientConnection.kubeconfig) /no/such/file: No such file or directory");
}

TEST_CASE("The environment's proxy is used where the kubeconfig names none", "[api]") {
    auto master = search({{"https_proxy", "http://proxy:3128"}, {"NO_PROXY", "10.96.0.0/12"}});
    master.master = "https://10.1.1.1:6443";
    CHECK(find_access(master).proxy->text() == "http://proxy:3128");
    master.master = "https://10.96.0.1:443";
    CHECK(!find_access(master).proxy);
    master = search({{"HTTPS_PROXY", "ftp://proxy"}});
    master.master = "https://10.1.1.1:6443";
    CHECK_THROWS_WITH(find_access(master),
                      Catch::StartsWith("HTTPS_PROXY or HTTP_PROXY is no URL of a proxy"));
}

TEST_CASE("A rotating file is read again after its period, and kept while it cannot be", "[api]") {
    const Authority folder;
    const auto path = folder.write("token", "one");
    const RotatingFile::Moment start{};
    RotatingFile file{path, std::chrono::minutes{1}};
    CHECK(file.text(start) == "one");
    folder.write("token", "two");
    CHECK(file.text(start + std::chrono::seconds{59}) == "one");
    CHECK(file.text(start + std::chrono::seconds{60}) == "two");
    std::filesystem::remove(path);
    CHECK(file.text(start + std::chrono::seconds{180}) == "two");
    folder.write("token", "three");
    file.doubt();
    CHECK(file.text(start + std::chrono::seconds{181}) == "three");
    CHECK_THROWS_WITH((RotatingFile{"/no/such", {}}.text(start)),
                      "/no/such: No such file or directory");
    CHECK_THROWS_WITH(read_file("/"), "/: Is a directory");
    CHECK_THROWS_WITH(read_file("/dev/zero"), "/dev/zero: File too large");
}

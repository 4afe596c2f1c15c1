#include "proxy/api/kubeconfig.h"

#include <catch2/catch.hpp>
#include <string>

using namespace ipvsproxy;
using namespace ipvsproxy::api;

namespace {

/// A kubeconfig whose cluster and user have these lines.
std::string kubeconfig(const std::string& cluster, const std::string& user) {
    return "apiVersion: v1\nkind: Config\ncurrent-context: main\n"
           "contexts:\n- name: other\n  context: {cluster: x, user: x}\n- name: main\n  context: "
           "{cluster: c, user: u}\n"
           "clusters:\n- name: x\n  cluster: {server: https://wrong}\n- name: c\n  cluster: {" +
           cluster + "}\nusers:\n- name: u\n  user: {" + user + "}\n";
}
Access read(const std::string& cluster, const std::string& user = "",
            const std::string& master = "") {
    return read_kubeconfig(kubeconfig(cluster, user), "/etc/kp/conf", master);
}

} // namespace

TEST_CASE("kubeadm's kubeconfig gives server, CA file and token file", "[api]") {
    const auto access = read_kubeconfig(R"(apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
    server: https://control-plane:6443
  name: default
contexts:
- context:
    cluster: default
    namespace: default
    user: default
  name: default
current-context: default
users:
- name: default
  user:
    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
)",
                                        "/var/lib/kube-proxy/kubeconfig.conf", "");
    CHECK(access.server.text() == "https://control-plane:6443");
    CHECK(access.ca == Material{.file = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"});
    CHECK(access.token == Material{.file = "/var/run/secrets/kubernetes.io/serviceaccount/token"});
    CHECK(access.origin == "kubeconfig /var/lib/kube-proxy/kubeconfig.conf (context \"default\")");
}

TEST_CASE("Files are looked for from the kubeconfig's folder, data counts before files", "[api]") {
    const auto access = read(
        "server: https://a, certificate-authority: ../ca.crt, certificate-authority-data: Q0E=",
        "client-certificate: me.crt, client-key: /k/me.key, tokenFile: t");
    CHECK(access.ca == Material{.text = "CA"});
    CHECK(access.certificate == Material{.file = "/etc/kp/me.crt"});
    CHECK(access.key == Material{.file = "/k/me.key"});
    CHECK(access.token == Material{.file = "/etc/kp/t"});
}

TEST_CASE("A cluster may have a path, a server name, a proxy, and no compression", "[api]") {
    const auto access =
        read("server: 'https://[fd00::1]:6443/k8s/c-1', tls-server-name: kubernetes, "
             "proxy-url: 'socks5://me:pw@p:1', disable-compression: true, "
             "insecure-skip-tls-verify: true");
    CHECK(access.server.host == "fd00::1");
    CHECK(access.server.path == "/k8s/c-1");
    CHECK(access.server_name == "kubernetes");
    CHECK(access.proxy->scheme == "socks5");
    CHECK(!access.compression);
    CHECK(access.insecure);
}

TEST_CASE("A server without a scheme is https where TLS is spoken of, as in client-go", "[api]") {
    CHECK(read("server: 'a:1', certificate-authority: ca").server.scheme == "https");
    CHECK(read("server: 'a:1'").server.scheme == "http");
}

TEST_CASE("--master takes the server's place", "[api]") {
    const auto access =
        read("server: https://a, certificate-authority: ca", "token: t", "https://b:1");
    CHECK(access.server.text() == "https://b:1");
    CHECK(access.token.text == "t");
    CHECK(read_kubeconfig("kind: Config", "/k", "http://b").server.text() == "http://b");
    CHECK_THROWS_WITH(read("server: https://a", "", "https://b:x"),
                      "--master=https://b:x is no URL of a server: port \"x\" is not within "
                      "1..65535");
    CHECK_THROWS_WITH(read("server: https://a", "", "socks5://b"),
                      "--master=socks5://b is no URL of a server: only http and https are");
}

TEST_CASE("--master takes the server's name for TLS away, as in client-go", "[api]") {
    const char* const cluster = "server: https://a, tls-server-name: kubernetes";
    CHECK(read(cluster).server_name == "kubernetes");
    CHECK(read(cluster, "", "https://b").server_name.empty());
}

TEST_CASE("A null is as good as nothing there", "[api]") {
    const auto access = read("server: https://a, proxy-url: null, certificate-authority: ~",
                             "auth-provider: null, exec: null, token: null, as-groups: null");
    CHECK(access == read("server: https://a"));
}

TEST_CASE("A user may have a password, or act for another", "[api]") {
    const auto access = read(
        "server: https://a",
        "username: me, password: pw, as: joe, as-groups: [g1, g2], as-user-extra: {scopes: [x]}");
    CHECK(access.username == "me");
    CHECK(access.password == "pw");
    CHECK(access.impersonation ==
          std::vector<std::pair<std::string, std::string>>{{"Impersonate-User", "joe"},
                                                           {"Impersonate-Group", "g1"},
                                                           {"Impersonate-Group", "g2"},
                                                           {"Impersonate-Extra-scopes", "x"}});
}

TEST_CASE("A credential plugin is read with its arguments and what the cluster says to it",
          "[api]") {
    const auto access =
        read("server: https://a, extensions: [{name: client.authentication.k8s.io/exec, extension: "
             "{audience: x, n: 1, f: 1.5, on: true, s: '1', none: null, l: [a]}}]",
             "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [a, b], "
             "env: [{name: K, value: v}], interactiveMode: Never, installHint: buy it, "
             "provideClusterInfo: true}");
    const ExecPlugin wanted{
        .api_version = "client.authentication.k8s.io/v1",
        .command = "/etc/kp/plugin",
        .arguments = {"a", "b"},
        .environment = {{"K", "v"}},
        .install_hint = "buy it",
        .provide_cluster_info = true,
        .cluster_config =
            R"({"audience":"x","n":1,"f":1.5E0,"on":true,"s":"1","none":null,"l":["a"]})"};
    CHECK(access.exec == wanted);
    CHECK(read("server: https://a",
               "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: plugin}")
              .exec->command == "plugin");
}

TEST_CASE("What is wrong is told with file, field and remedy", "[api]") {
    const auto refused = [](const std::string& cluster, const std::string& user) {
        try {
            read(cluster, user);
        } catch (const std::runtime_error& error) {
            return std::string{error.what()};
        }
        return std::string{"nothing"};
    };
    CHECK(refused("", "") == "kubeconfig /etc/kp/conf: clusters[c].cluster.server: is missing: "
                             "give it here or by --master");
    CHECK(refused("server: 'https://a:x'", "") ==
          "kubeconfig /etc/kp/conf: clusters[c].cluster.server: \"https://a:x\" is no URL of a "
          "server: "
          "port \"x\" is not within 1..65535");
    CHECK(refused("server: 'socks5://a'", "") ==
          "kubeconfig /etc/kp/conf: clusters[c].cluster.server: must be http or https");
    CHECK(refused("server: https://a, insecure-skip-tls-verify: true, certificate-authority: ca",
                  "") ==
          "kubeconfig /etc/kp/conf: clusters[c].cluster.insecure-skip-tls-verify: true, but "
          "there is a certificate-authority too: remove one of them");
    CHECK(refused("server: https://a, insecure-skip-tls-verify: maybe", "") ==
          "kubeconfig /etc/kp/conf: clusters[c].cluster.insecure-skip-tls-verify: must be true or "
          "false, "
          "is \"maybe\"");
    CHECK(refused("server: https://a, certificate-authority-data: '!'", "") ==
          "kubeconfig /etc/kp/conf: clusters[c].cluster.certificate-authority-data: is not base64");
    CHECK(refused("server: https://a, proxy-url: 'ftp://x'", "") ==
          "kubeconfig /etc/kp/conf: clusters[c].cluster.proxy-url: is no URL of a proxy: scheme "
          "\"ftp\" is "
          "not known");
    CHECK(refused("server: https://a", "client-key: k") ==
          "kubeconfig /etc/kp/conf: users[u].user.client-certificate: is missing: certificate and "
          "key "
          "go together");
    CHECK(refused("server: https://a", "token: t, username: u") ==
          "kubeconfig /etc/kp/conf: users[u].user: has a token and a username: only one way to log "
          "in "
          "is allowed");
    CHECK(refused("server: https://a", "auth-provider: {name: oidc}") ==
          "kubeconfig /etc/kp/conf: users[u].user.auth-provider: is no longer supported by "
          "Kubernetes "
          "either: use a credential plugin (exec)");
    CHECK(refused("server: https://a", "exec: {apiVersion: v1, command: x}") ==
          "kubeconfig /etc/kp/conf: users[u].user.exec.apiVersion: must be "
          "client.authentication.k8s.io/v1 or …/v1beta1, is \"v1\"");
    CHECK(refused("server: https://a",
                  "exec: {apiVersion: client.authentication.k8s.io/v1, command: x}") ==
          "kubeconfig /etc/kp/conf: users[u].user.exec.interactiveMode: is missing: Never is right "
          "for "
          "a daemon");
    CHECK(refused("server: https://a", "as-groups: [g]") ==
          "kubeconfig /etc/kp/conf: users[u].user.as: is missing: as-uid, as-groups and "
          "as-user-extra go with a user");
    CHECK(refused("server: https://a", "token: [t]") ==
          "kubeconfig /etc/kp/conf: users[u].user.token: must be a text");
}

TEST_CASE("A context, cluster or user that is not there is named", "[api]") {
    const auto refused = [](const std::string& text) {
        try {
            read_kubeconfig(text, "/k", "");
        } catch (const std::runtime_error& error) {
            return std::string{error.what()};
        }
        return std::string{"nothing"};
    };
    CHECK(refused("kind: Config") == "kubeconfig /k: current-context: is not set: kubectl config "
                                     "use-context NAME --kubeconfig /k");
    CHECK(refused("current-context: a") == "kubeconfig /k: contexts: has no entry named \"a\"");
    CHECK(refused("current-context: a\ncontexts: [{name: a, context: {cluster: b}}]") ==
          "kubeconfig /k: clusters: has no entry named \"b\"");
    CHECK(refused("current-context: a\ncontexts: [{name: a, context: {cluster: b, user: "
                  "u}}]\nclusters: [{name: b, cluster: {server: a}}]") ==
          "kubeconfig /k: users: has no entry named \"u\"");
    CHECK(refused("a: [") == "kubeconfig /k: line 1: is no YAML: end of sequence flow not found");
    CHECK(refused("[]") == "kubeconfig /k: must be a mapping");
    CHECK(refused("current-context: a\ncontexts: {}") == "kubeconfig /k: contexts: must be a list");
}

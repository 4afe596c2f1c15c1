#include "proxy/api/kubeconfig.h"

#include <yaml-cpp/yaml.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <stdexcept>

#include "proxy/https/base64.h"
#include "proxy/https/proxy_choice.h"

namespace ipvsproxy::api {
namespace {

/// A mapping of the file, with the path to it for messages.
class Fields {
public:
    Fields(const std::string& file, std::string path, const YAML::Node& node)
        : file_{file}, path_{std::move(path)}, node_{node} {
        if (node_.IsDefined() && !node_.IsNull() && !node_.IsMap()) fail("", "must be a mapping");
    }

    /// Empty when it is absent or null.
    std::string text(const char* key) const {
        const auto value = at(key);
        if (!value.IsDefined() || value.IsNull()) return {};
        if (!value.IsScalar()) fail(key, "must be a text");
        return value.Scalar();
    }
    bool flag(const char* key) const {
        const auto value = text(key);
        if (value.empty() || value == "false") return false;
        if (value != "true") fail(key, "must be true or false, is \"" + value + "\"");
        return true;
    }
    Fields fields(const char* key) const { return {file_, path_ + key + ".", at(key)}; }
    YAML::Node at(const char* key) const {
        return node_.IsDefined() && node_.IsMap() ? node_[key]
                                                  : YAML::Node{YAML::NodeType::Undefined};
    }
    std::vector<std::string> texts(const char* key) const {
        std::vector<std::string> result;
        for (const auto& each : list(key)) {
            if (!each.IsScalar()) fail(key, "must be a list of texts");
            result.push_back(each.Scalar());
        }
        return result;
    }
    std::vector<YAML::Node> list(const char* key) const {
        const auto value = at(key);
        if (!value.IsDefined() || value.IsNull()) return {};
        if (!value.IsSequence()) fail(key, "must be a list");
        return {value.begin(), value.end()};
    }
    /// `decoded` of "…-data", else the file, which starts at the kubeconfig's folder.
    Material material(const std::string& key) const {
        const auto data = text((key + "-data").c_str());
        if (data.empty()) return {.file = relative(text(key.c_str()))};
        auto decoded = https::from_base64(data);
        if (!decoded) fail((key + "-data").c_str(), "is not base64");
        return {.text = std::move(*decoded)};
    }
    std::string relative(const std::string& path) const {
        if (path.empty()) return path;
        return (std::filesystem::path{file_}.parent_path() / path).lexically_normal().string();
    }
    [[noreturn]] void fail(const std::string& key, const std::string& reason) const {
        auto path = path_ + key;
        if (path.ends_with('.')) path.pop_back();
        throw std::runtime_error{"kubeconfig " + file_ + ": " + (path.empty() ? "" : path + ": ") +
                                 reason};
    }
    /// The entry of that name in a list like `users`, as the mapping below `inner`.
    Fields named(const char* list_key, const char* inner, const std::string& name) const {
        for (const auto& each : list(list_key)) {
            const Fields entry{file_, std::string{list_key} + "[" + name + "].", each};
            if (entry.text("name") == name) return entry.fields(inner);
        }
        fail(list_key, "has no entry named \"" + name + "\"");
    }

private:
    const std::string& file_;
    std::string path_;
    YAML::Node node_;
};

/// As YAML's core schema reads it.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the extension of a cluster is nested
boost::json::value json_of(const YAML::Node& node) {
    if (!node.IsDefined()) return nullptr;
    if (node.IsMap()) {
        boost::json::object object;
        for (const auto& each : node)
            object[each.first.Scalar()] = json_of(each.second);
        return object;
    }
    if (node.IsSequence()) {
        boost::json::array array;
        for (const auto& each : node)
            array.push_back(json_of(each));
        return array;
    }
    if (!node.IsScalar()) return nullptr;
    const auto& text = node.Scalar();
    if (node.Tag() == "!") return boost::json::string{text}; // it was quoted
    if (text == "true" || text == "false") return text == "true";
    if (text == "null" || text == "~") return nullptr;
    if (std::int64_t whole{}; YAML::convert<std::int64_t>::decode(node, whole)) return whole;
    if (double number{}; YAML::convert<double>::decode(node, number)) return number;
    return boost::json::string{text};
}

bool is_web(const https::Url& url) {
    return url.scheme == "https" || url.scheme == "http";
}

void read_cluster(Access& access, const Fields& cluster, const std::string& master) {
    access.ca = cluster.material("certificate-authority");
    access.insecure = cluster.flag("insecure-skip-tls-verify");
    // The name belongs to the server beside it: with another server client-go forgets it.
    if (master.empty()) access.server_name = cluster.text("tls-server-name");
    access.compression = !cluster.flag("disable-compression");
    if (access.insecure && !access.ca.empty())
        cluster.fail("insecure-skip-tls-verify",
                     "true, but there is a certificate-authority too: remove one of them");
    const std::string scheme = access.insecure || !access.ca.empty() ? "https" : "http";
    if (!master.empty()) {
        access.server = parse_master(master, scheme);
    } else {
        const auto server = cluster.text("server");
        if (server.empty()) cluster.fail("server", "is missing: give it here or by --master");
        const auto url = https::parse_url(server, scheme);
        if (!url)
            cluster.fail("server",
                         "\"" + server + "\" is no URL of a server: " + url.error().reason);
        if (!is_web(*url)) cluster.fail("server", "must be http or https");
        access.server = *url;
    }
    const auto proxy = cluster.text("proxy-url");
    if (proxy.empty()) return;
    const auto proxy_url = https::parse_proxy_url(proxy);
    if (!proxy_url) cluster.fail("proxy-url", "is no URL of a proxy: " + proxy_url.error().reason);
    access.proxy = *proxy_url;
}

std::string cluster_extension(const Fields& cluster) {
    for (const auto& each : cluster.list("extensions"))
        if (each.IsMap() && each["name"].IsDefined() &&
            each["name"].Scalar() == "client.authentication.k8s.io/exec")
            return boost::json::serialize(json_of(each["extension"]));
    return {};
}

ExecPlugin read_exec(const Fields& exec, const Fields& cluster) {
    ExecPlugin plugin;
    plugin.api_version = exec.text("apiVersion");
    if (plugin.api_version != "client.authentication.k8s.io/v1" &&
        plugin.api_version != "client.authentication.k8s.io/v1beta1")
        exec.fail("apiVersion", "must be client.authentication.k8s.io/v1 or …/v1beta1, is \"" +
                                    plugin.api_version + "\"");
    plugin.command = exec.text("command");
    if (plugin.command.empty()) exec.fail("command", "is missing");
    if (plugin.command.find('/') != std::string::npos)
        plugin.command = exec.relative(plugin.command);
    plugin.arguments = exec.texts("args");
    for (const auto& each : exec.list("env")) {
        if (!each.IsMap() || !each["name"].IsDefined() || each["name"].Scalar().empty())
            exec.fail("env", "must be a list of name and value");
        plugin.environment.emplace_back(each["name"].Scalar(),
                                        each["value"].IsDefined() ? each["value"].Scalar() : "");
    }
    plugin.install_hint = exec.text("installHint");
    plugin.provide_cluster_info = exec.flag("provideClusterInfo");
    if (plugin.provide_cluster_info) plugin.cluster_config = cluster_extension(cluster);
    const auto mode = exec.text("interactiveMode");
    if (mode.empty() && plugin.api_version.ends_with("/v1"))
        exec.fail("interactiveMode", "is missing: Never is right for a daemon");
    if (!mode.empty() && mode != "Never" && mode != "IfAvailable" && mode != "Always")
        exec.fail("interactiveMode", "must be Never, IfAvailable or Always, is \"" + mode + "\"");
    plugin.needs_terminal = mode == "Always";
    return plugin;
}

void read_impersonation(Access& access, const Fields& user) {
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) access.impersonation.emplace_back(name, value);
    };
    add("Impersonate-User", user.text("as"));
    add("Impersonate-Uid", user.text("as-uid"));
    for (const auto& group : user.texts("as-groups"))
        add("Impersonate-Group", group);
    const auto extra = user.at("as-user-extra");
    if (extra.IsDefined() && extra.IsMap())
        for (const auto& each : extra)
            for (const auto& value : each.second)
                add(("Impersonate-Extra-" + each.first.Scalar()).c_str(), value.Scalar());
    if (!access.impersonation.empty() && user.text("as").empty())
        user.fail("as", "is missing: as-uid, as-groups and as-user-extra go with a user");
}

void read_user(Access& access, const Fields& user, const Fields& cluster) {
    access.certificate = user.material("client-certificate");
    access.key = user.material("client-key");
    if (access.certificate.empty() != access.key.empty())
        user.fail(access.key.empty() ? "client-key" : "client-certificate",
                  "is missing: certificate and key go together");
    access.token = {.text = user.text("token"), .file = user.relative(user.text("tokenFile"))};
    access.username = user.text("username");
    access.password = user.text("password");
    if (!access.username.empty() && !access.token.empty())
        user.fail("", "has a token and a username: only one way to log in is allowed");
    if (const auto old = user.at("auth-provider"); old.IsDefined() && !old.IsNull())
        user.fail("auth-provider",
                  "is no longer supported by Kubernetes either: use a credential plugin (exec)");
    if (const auto exec = user.at("exec"); exec.IsDefined() && !exec.IsNull())
        access.exec = read_exec(user.fields("exec"), cluster);
    read_impersonation(access, user);
}

YAML::Node parse(const std::string& text, const std::string& file) {
    try {
        return YAML::Load(text);
    } catch (const YAML::Exception& error) {
        throw std::runtime_error{"kubeconfig " + file + ": line " +
                                 std::to_string(error.mark.line + 1) +
                                 ": is no YAML: " + error.msg};
    }
}

} // namespace

Access read_kubeconfig(const std::string& text, const std::string& file,
                       const std::string& master) {
    const Fields top{file, "", parse(text, file)};
    Access access;
    const auto current = top.text("current-context");
    access.origin =
        "kubeconfig " + file + (current.empty() ? "" : " (context \"" + current + "\")");
    if (current.empty() && master.empty())
        top.fail("current-context",
                 "is not set: kubectl config use-context NAME --kubeconfig " + file);
    const YAML::Node none{YAML::NodeType::Undefined};
    const Fields empty{file, "", none};
    const auto context = current.empty() ? empty : top.named("contexts", "context", current);
    const auto cluster_name = context.text("cluster");
    if (cluster_name.empty() && master.empty())
        context.fail("cluster", "is missing: the name of an entry of clusters");
    const auto cluster =
        cluster_name.empty() ? empty : top.named("clusters", "cluster", cluster_name);
    read_cluster(access, cluster, master);
    if (const auto name = context.text("user"); !name.empty())
        read_user(access, top.named("users", "user", name), cluster);
    return access;
}

https::Url parse_master(const std::string& master, const std::string& default_scheme) {
    const auto url = https::parse_url(master, default_scheme);
    if (url && is_web(*url)) return *url;
    throw std::runtime_error{"--master=" + master + " is no URL of a server" +
                             (url ? ": only http and https are" : ": " + url.error().reason)};
}

} // namespace ipvsproxy::api

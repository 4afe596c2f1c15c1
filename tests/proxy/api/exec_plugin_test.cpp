#include "proxy/api/exec_plugin.h"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

#include "proxy/api/child.h"
#include "tests/proxy/https/server.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;
using https_test::Authority;
namespace asio = boost::asio;

namespace {

constexpr auto v1 = "client.authentication.k8s.io/v1";

std::string credential(const std::string& status) {
    return R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":)" +
           status + "}";
}

/// Calls it, and keeps what the observer is told.
struct Calls : ClientObserver {
    void rate_limited(std::string_view, std::string_view, std::chrono::nanoseconds) override {}
    void exchanged(const Exchange&) override {}
    void read_whole(std::string_view, std::string_view, std::size_t) override {}
    void retried(std::string_view, std::string_view, unsigned) override {}
    void plugin_called(int exit_code, std::string_view status) override {
        told.push_back(std::to_string(exit_code) + " " + std::string{status});
    }
    ExecCredential call(const Access& access) {
        asio::io_context context;
        ExecCredential result;
        https_test::run(
            context,
            [](const Access& given, Calls& calls, ExecCredential& out) -> asio::awaitable<void> {
                out = co_await run_exec_plugin(given, "CA", &calls);
            }(access, *this, result));
        return result;
    }
    std::vector<std::string> told{};
};

/// Access by a plugin that is this shell script.
Access with_script(const Authority& folder, const std::string& script) {
    const auto path = folder.write("plugin", "#!/bin/sh\n" + script);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    Access access{.server = https::parse_url("https://kube:6443").value()};
    access.exec = ExecPlugin{.api_version = v1, .command = path};
    return access;
}

Finished finish(Command command) {
    asio::io_context context;
    Finished result;
    https_test::run(context, [](Command given, Finished& out) -> asio::awaitable<void> {
        out = co_await run_command(std::move(given));
    }(std::move(command), result));
    return result;
}

} // namespace

TEST_CASE("A command's output, complaints and exit status come back", "[api]") {
    const auto finished = finish({.path = "sh",
                                  .arguments = {"-c", "echo out; echo err >&2; exit 3"},
                                  .environment = {"PATH=/bin:/usr/bin"}});
    CHECK(finished.output == "out\n");
    CHECK(finished.complaints == "err\n");
    CHECK(finished.exit_code == 3);
    CHECK(finish({.path = "sh", .arguments = {"-c", "kill -9 $$"}}).exit_code == 137);
    CHECK(finish({.path = "sh", .arguments = {"-c", "ls /proc/self/fd | wc -l"}}).output ==
          "4\n");                                  // 0, 1, 2, the folder
    CHECK(finish({.path = "cat"}).output.empty()); // nothing to read
}

TEST_CASE("A command that takes too long is killed with all it started", "[api]") {
    try {
        finish({.path = "sh",
                .arguments = {"-c", "sleep 1000 & sleep 1000"},
                .limit = std::chrono::milliseconds{50}});
        FAIL("it was not");
    } catch (const boost::system::system_error& error) {
        CHECK(error.code() == asio::error::timed_out);
    }
}

TEST_CASE("A plugin gives a token, told its configuration", "[api]") {
    const Authority folder;
    auto access = with_script(
        folder, "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" + std::string{v1} +
                    "\",\"status\":{\"token\":\"'$1-$WHO'\"}}'; echo \"$KUBERNETES_EXEC_INFO\" > " +
                    (folder.folder() / "info").string());
    access.exec->arguments = {"first"};
    access.exec->environment = {{"WHO", "me"}};
    access.exec->provide_cluster_info = true;
    access.exec->cluster_config = R"({"audience":"x"})";
    Calls calls;
    CHECK(calls.call(access) == ExecCredential{.token = "first-me"});
    CHECK(calls.told == std::vector<std::string>{"0 no_error"});
    CHECK(finish({.path = "cat", .arguments = {(folder.folder() / "info").string()}}).output ==
          exec_info(access, "CA") + "\n");
    CHECK(
        exec_info(access, "CA") ==
        R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false,)"
        R"("cluster":{"server":"https://kube:6443","certificate-authority-data":"Q0E=","config":{"audience":"x"}}}})");
    access.exec->provide_cluster_info = false;
    CHECK(
        exec_info(access, "CA") ==
        R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}})");
}

TEST_CASE("A plugin that fails is named with its complaints", "[api]") {
    const Authority folder;
    Calls calls;
    const auto access = with_script(folder, "echo 'session expired: log in' >&2; exit 2");
    CHECK_THROWS_WITH(calls.call(access),
                      "credential plugin " + access.exec->command +
                          " failed with exit status 2: session expired: log in");
    CHECK(calls.told == std::vector<std::string>{"2 plugin_execution_error"});
}

TEST_CASE("A plugin that is not there is named with the hint how to get it", "[api]") {
    Access access{.server = https::parse_url("https://kube").value()};
    access.exec = ExecPlugin{
        .api_version = v1, .command = "no-such-plugin", .install_hint = "apt install it"};
    Calls calls;
    CHECK_THROWS_WITH(calls.call(access), "credential plugin no-such-plugin cannot be run: No such "
                                          "file or directory. apt install it");
    CHECK(calls.told == std::vector<std::string>{"1 plugin_not_found_error"});
    access.exec->needs_terminal = true;
    CHECK_THROWS_WITH(calls.call(access), Catch::Contains("wants a terminal"));
}

TEST_CASE("What a plugin prints is read with its certificate and its end", "[api]") {
    const auto read = parse_exec_credential(
        credential(
            R"({"clientCertificateData":"C","clientKeyData":"K","expirationTimestamp":"2026-11-21T02:05:47Z"})"),
        v1);
    CHECK(read.certificate_pem == "C");
    CHECK(read.key_pem == "K");
    CHECK(read.expires == std::chrono::system_clock::from_time_t(1795226747));
}

TEST_CASE("What a plugin should not print is refused with the reason", "[api]") {
    const auto reason = [](const std::string& output) {
        try {
            parse_exec_credential(output, v1);
        } catch (const std::runtime_error& error) {
            return std::string{error.what()};
        }
        return std::string{"nothing"};
    };
    CHECK(reason("") == "it did not print a JSON object");
    CHECK(reason("[]") == "it did not print a JSON object");
    CHECK(reason(R"({"kind":"Pod"})") == "it printed no ExecCredential, but kind \"Pod\"");
    CHECK(reason(R"({"kind":"ExecCredential","apiVersion":"x"})") ==
          "it speaks x, the kubeconfig says client.authentication.k8s.io/v1");
    CHECK(reason(credential("null")) == "it printed no status");
    CHECK(reason(credential("{}")) == "it gave neither a token nor a certificate with its key");
    CHECK(reason(credential(R"({"clientKeyData":"K"})")) ==
          "it gave a certificate or a key, but not both");
    CHECK(reason(credential(R"({"token":1})")) == "token is not a text");
    CHECK(reason(credential(R"({"token":"t","expirationTimestamp":"soon"})")) ==
          "expirationTimestamp \"soon\" is no RFC 3339 time");
}

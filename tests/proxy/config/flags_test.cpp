#include "proxy/config/flags.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <catch2/catch.hpp>

#include "proxy/config/validate.h"

using namespace ipvsproxy;
using namespace ipvsproxy::config;
using namespace std::chrono_literals;

namespace {

using Words = std::vector<const char*>;

/// What the words of a command line come to. @throws CLI::ParseError
Flags parse(Words words) {
    words.insert(words.begin(), "ipvsproxy");
    CLI::App app;
    Flags flags;
    add_flags(app, flags);
    app.parse(arguments(static_cast<int>(words.size()), words.data()));
    return flags;
}

Options completed(const Words& words, const std::optional<Loaded>& file = {}) {
    const auto options = complete(parse(words), file, " Host-1\n");
    INFO((options ? "" : options.error().text));
    REQUIRE(options.has_value());
    return *options;
}

std::string refusal(const Words& words, const std::optional<Loaded>& file = {}) {
    const auto options = complete(parse(words), file, "host");
    REQUIRE_FALSE(options.has_value());
    return options.error().text;
}

std::optional<Loaded> file(const std::string& text) {
    auto result =
        load("apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n" + text);
    REQUIRE(result.has_value());
    return *result;
}

} // namespace

TEST_CASE("X-020 without flags everything has its default, and 1s between two syncs", "[config]") {
    const auto options = completed({});
    Configuration expected;
    expected.ipvs.min_sync_period = 1s;
    CHECK(options.configuration == expected);
    CHECK(options.node_name == "host-1");
    CHECK(options.drain_limit == 15min);
    CHECK(options.iptables_backend == IptablesBackend::automatic);
    CHECK(options.warnings.empty());
}

TEST_CASE("every flag reaches its field", "[config]") {
    const auto c = completed({"--bind-address=1.1.1.1",
                              "--bind-address-hard-fail",
                              "--cluster-cidr=10.0.0.0/8",
                              "--config-sync-period=1m",
                              "--conntrack-tcp-be-liberal=true",
                              "--detect-local-mode=NodeCIDR",
                              "--feature-gates=AllowServiceExternalIPs=false,AllAlpha=true",
                              "--healthz-bind-address=1.1.1.2:1",
                              "--metrics-bind-address",
                              "[::1]:2",
                              "--iptables-masquerade-bit=5",
                              "--iptables-localhost-nodeports=false",
                              "--ipvs-exclude-cidrs=10.0.0.0/8,fd00::/8",
                              "--ipvs-exclude-cidrs=11.0.0.0/8",
                              "--ipvs-scheduler",
                              "wlc",
                              "--ipvs-strict-arp",
                              "--ipvs-tcp-timeout=1s",
                              "--ipvs-tcpfin-timeout=2s",
                              "--ipvs-udp-timeout=3s",
                              "--kube-api-burst=7",
                              "--kube-api-content-type=application/json",
                              "--kube-api-qps=1.5",
                              "--kubeconfig=/k",
                              "--masquerade-all",
                              "--nodeport-addresses=primary",
                              "--oom-score-adj",
                              "-998",
                              "--pod-bridge-interface=br",
                              "--pod-interface-name-prefix=veth",
                              "--profiling",
                              "--show-hidden-metrics-for-version=1.35"})
                       .configuration;
    CHECK(c.bind_address == "1.1.1.1");
    CHECK(c.bind_address_hard_fail);
    CHECK(c.cluster_cidr == "10.0.0.0/8");
    CHECK(c.config_sync_period == 1min);
    CHECK(c.conntrack.tcp_be_liberal);
    CHECK(c.detect_local_mode == "NodeCIDR");
    CHECK(c.feature_gates ==
          std::map<std::string, bool>{{"AllAlpha", true}, {"AllowServiceExternalIPs", false}});
    CHECK(c.healthz_bind_address == "1.1.1.2:1");
    CHECK(c.metrics_bind_address == "[::1]:2");
    CHECK(c.iptables.masquerade_bit == 5);
    CHECK_FALSE(c.iptables.localhost_node_ports);
    CHECK(c.ipvs ==
          Ipvs{{"10.0.0.0/8", "fd00::/8", "11.0.0.0/8"}, 1s, "wlc", true, 30s, 2s, 1s, 3s});
    CHECK(c.client_connection == ClientConnection{"", 7, "application/json", "/k", 1.5F});
    CHECK(c.iptables.masquerade_all);
    CHECK(c.node_port_addresses == std::vector<std::string>{"primary"});
    CHECK(c.oom_score_adj == -998);
    CHECK(c.detect_local == DetectLocal{"br", "veth"});
    CHECK(c.enable_profiling);
    CHECK(c.show_hidden_metrics_for_version == "1.35");
}

TEST_CASE("P-250 the periods are those of the mode", "[config]") {
    const Words words{"--iptables-sync-period=36s", "--iptables-min-sync-period=5s",
                      "--ipvs-sync-period=16s", "--ipvs-min-sync-period=7s"};
    auto ipvs = words;
    ipvs.push_back("--proxy-mode=ipvs");
    auto c = completed(ipvs).configuration;
    CHECK(periods(c).sync == 16s);
    CHECK(periods(c).min_sync == 7s);
    c.mode = "iptables";
    CHECK(periods(c).sync == 36s);
    CHECK(periods(c).min_sync == 5s);
}

TEST_CASE("P-251 --cluster-cidr may hold two", "[config]") {
    const auto options = completed({"--cluster-cidr=2001:db8:244::/64,10.244.0.0/16"});
    CHECK(options.parsed.cluster_cidrs == std::vector<Prefix>{*Prefix::parse("2001:db8:244::/64"),
                                                              *Prefix::parse("10.244.0.0/16")});
}

TEST_CASE("P-252 the port flags complete addresses that have no port", "[config]") {
    auto c = completed({"--healthz-bind-address=1.2.3.4", "--healthz-port=12345",
                        "--metrics-bind-address=fd00::4", "--metrics-port=23456"})
                 .configuration;
    CHECK(c.healthz_bind_address == "1.2.3.4:12345");
    CHECK(c.metrics_bind_address == "[fd00::4]:23456");
    c = completed({"--healthz-bind-address=1.2.3.4:99", "--healthz-port=12345"}).configuration;
    CHECK(c.healthz_bind_address == "1.2.3.4:99");
    const auto without = completed({"--healthz-port=0"});
    CHECK(without.configuration.healthz_bind_address.empty());
    CHECK_FALSE(without.parsed.healthz);
    CHECK(without.warnings ==
          std::vector<std::string>{
              "Flag --healthz-port has been deprecated, use --healthz-bind-address instead"});
    CHECK_THAT(refusal({"--metrics-port=0"}), Catch::Contains("MetricsBindAddress"));
    CHECK_THROWS_AS(parse({"--healthz-bind-address=[fd00::4]"}), CLI::ValidationError);
}

TEST_CASE("with --write-config-to the port flags change nothing", "[config]") {
    const auto c = completed({"--write-config-to=/w", "--healthz-port=0", "--metrics-port=0",
                              "--metrics-bind-address=1.2.3.4:5"})
                       .configuration;
    CHECK(c.healthz_bind_address == "0.0.0.0:10256");
    CHECK(c.metrics_bind_address == "1.2.3.4:5");
}

TEST_CASE("P-253 a file beats the flags, but for the logging ones", "[config]") {
    const auto from_file = file("ipvs: {scheduler: sh}\nlogging: {verbosity: 2, vmodule: "
                                "[{filePattern: bar, verbosity: 3}]}\n");
    const auto options =
        completed({"--config=x", "-v=7", "--vmodule", "goo=8", "--ipvs-scheduler=x"}, from_file);
    CHECK(options.configuration.ipvs.scheduler == "sh");
    CHECK(options.configuration.ipvs.min_sync_period == 0s);
    CHECK(options.configuration.logging.verbosity == 7);
    CHECK(options.configuration.logging.vmodule ==
          std::vector<VmoduleItem>{{"goo", 8}, {"bar", 3}});
    CHECK(options.config_file == "x");
    CHECK(options.warnings ==
          std::vector<std::string>{"Flags ignored because --config is given: --ipvs-scheduler"});
}

TEST_CASE("P-253 a file leaves the flags alone that are none of its fields", "[config]") {
    const auto options =
        completed({"--config=x", "--master=https://m", "--cleanup", "--init-only",
                   "--write-config-to=/w", "--drain-limit=90s", "--iptables-backend=nft",
                   "--ipvs-vip-binding=routes", "--boot-id-file=/b", "--machine-id-file=/m1,/m2"},
                  file("mode: iptables\n"));
    CHECK(options.master == "https://m");
    CHECK(options.cleanup);
    CHECK(options.init_only);
    CHECK(options.write_config_to == "/w");
    CHECK(options.drain_limit == 90s);
    CHECK(options.iptables_backend == IptablesBackend::nft);
    CHECK(options.vip_binding == Binding::route);
    CHECK(options.warnings.empty());
}

TEST_CASE("P-254 conntrack flags of 0 stay 0", "[config]") {
    const auto c =
        completed({"--conntrack-max-per-core=0", "--conntrack-min=0",
                   "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0s",
                   "--conntrack-udp-timeout=0", "--conntrack-udp-timeout-stream=0"})
            .configuration;
    CHECK(c.conntrack == Conntrack{0, 0, false, 0s, 0s, 0s, 0s});
}

TEST_CASE("P-249 the node's name is the flag's, the file's, or the host's", "[config]") {
    const auto named = file("hostnameOverride: \" From-File \"\n");
    CHECK(completed({"--config=x"}, named).node_name == "from-file");
    CHECK(completed({"--config=x", "--hostname-override="}, named).node_name == "from-file");
    CHECK(completed({"--config=x", "--hostname-override=  Bar "}, named).node_name == "bar");
    CHECK(completed({"--hostname-override", "  Bar "}).configuration.hostname_override == "bar");
    CHECK(refusal({"--hostname-override=  "}) ==
          "failed complete: empty hostname-override is invalid");
    CHECK_FALSE(complete(parse({}), {}, " ").has_value());
}

TEST_CASE("an address flag is judged while parsing, and an empty one changes nothing", "[config]") {
    CHECK(completed({"--bind-address=", "--healthz-bind-address=", "--metrics-bind-address="})
              .configuration == completed({}).configuration);
    for (const char* flag : {"--bind-address=host", "--bind-address=1.2.3.4:5",
                             "--healthz-bind-address=localhost:80", "--metrics-bind-address=x"}) {
        CAPTURE(flag);
        CHECK_THROWS_AS(parse({flag}), CLI::ValidationError);
    }
}

TEST_CASE("values of the wrong type are refused while parsing", "[config]") {
    for (const char* flag :
         {"--oom-score-adj=x", "--ipvs-sync-period=30", "--kube-api-qps=fast", "--cleanup=maybe",
          "--feature-gates=A", "--feature-gates=A=maybe", "--vmodule=a", "--vmodule=a=x",
          "--drain-limit=-1s", "--iptables-backend=pf", "--ipvs-vip-binding=none",
          "--log-json-info-buffer-size=1Q", "--healthz-port=x", "--v=-1"}) {
        CAPTURE(flag);
        CHECK_THROWS_AS(parse({flag}), CLI::ValidationError);
    }
    CHECK_THROWS_AS(parse({"--nosuchflag"}), CLI::ExtrasError);
    CHECK_THROWS_AS(parse({"extra-arg"}), CLI::ExtrasError);
}

TEST_CASE("flags are written as kube-proxy takes them", "[config]") {
    CHECK(completed({"--cluster_cidr=10.0.0.0/8"}).configuration.cluster_cidr == "10.0.0.0/8");
    CHECK(completed({"--ipvs_scheduler", "a_b"}).configuration.ipvs.scheduler == "a_b");
    CHECK(completed({"--kubeconfig=/a_b=c_d"}).configuration.client_connection.kubeconfig ==
          "/a_b=c_d");
    for (const auto& words :
         {Words{"-v=4"}, Words{"-v", "4"}, Words{"-v4"}, Words{"--v=4"}, Words{"--v", "4"}})
        CHECK(completed(words).configuration.logging.verbosity == 4);
    CHECK(completed({"--ipvs-scheduler=a", "--ipvs-scheduler=b"}).configuration.ipvs.scheduler ==
          "b");
    CHECK_FALSE(completed({"--cleanup=false"}).cleanup);
    CHECK(parse({"--version=raw"}).last("version") == "raw");
    CHECK(parse({"--version"}).has("version"));
}

TEST_CASE("an invalid configuration is refused with all that is wrong", "[config]") {
    CHECK(
        refusal({"--proxy-mode=bogus"}) ==
        "failed validate: KubeProxyConfiguration.Mode.ProxyMode: Invalid value: \"bogus\": must be "
        "iptables, ipvs, nftables or blank (blank means ipvs)");
    CHECK_THAT(refusal({"--oom-score-adj=2000", "--iptables-masquerade-bit=40"}),
               Catch::StartsWith("failed validate: [KubeProxyConfiguration.") &&
                   Catch::EndsWith("]"));
    const auto missing = complete(parse({"--config=/nonexistent"}));
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().text == "failed complete: open /nonexistent: no such file or directory");
}

TEST_CASE("another proxy's mode is refused, unless nothing is to be proxied", "[config]") {
    CHECK(refusal({"--proxy-mode=iptables"}) ==
          "failed validate: mode \"iptables\" is not for this proxy, which has ipvs only: set mode "
          "(--proxy-mode) to ipvs, or run kube-proxy on this node");
    CHECK(refusal({"--proxy-mode=nftables"}) != "");
    CHECK(completed({"--proxy-mode=iptables", "--cleanup"}).cleanup);
    CHECK(completed({"--proxy-mode="}).configuration.mode == "ipvs");
    CHECK(completed({"--config=x"}, file("mode: \"\"\n")).configuration.mode == "ipvs");
}

TEST_CASE("the log can name every flag with its value", "[config]") {
    const auto values = flag_values(parse({"--oom-score-adj=-5", "--nodeport-addresses=10.0.0.0/8",
                                           "--nodeport-addresses=11.0.0.0/8", "--cleanup"}));
    const std::map<std::string, std::string> by_name{values.begin(), values.end()};
    CHECK(by_name.at("oom-score-adj") == "-5");
    CHECK(by_name.at("nodeport-addresses") == "[10.0.0.0/8,11.0.0.0/8]");
    CHECK(by_name.at("ipvs-exclude-cidrs") == "[]");
    CHECK(by_name.at("cleanup") == "true");
    CHECK(by_name.at("ipvs-sync-period") == "30s");
    CHECK(by_name.at("config").empty());
    CHECK(std::is_sorted(values.begin(), values.end()));
}

TEST_CASE("a flag's value is shown as Go prints it, however it was written", "[config]") {
    const auto values = flag_values(
        parse({"--ipvs-sync-period=90s", "--conntrack-udp-timeout=0", "--oom-score-adj=-0x10",
               "--feature-gates=AllBeta=f", "--feature-gates=AllAlpha=1,", "--cleanup=T",
               "--vmodule=a=1", "--vmodule=b=2", "--version=raw"}));
    const std::map<std::string, std::string> by_name{values.begin(), values.end()};
    CHECK(by_name.at("ipvs-sync-period") == "1m30s");
    CHECK(by_name.at("conntrack-udp-timeout") == "0s");
    CHECK(by_name.at("oom-score-adj") == "-16");
    CHECK(by_name.at("feature-gates") == "AllAlpha=true,AllBeta=false");
    CHECK(by_name.at("cleanup") == "true");
    CHECK(by_name.at("vmodule") == "a=1,b=2");
    CHECK(by_name.at("version") == "raw");
}

TEST_CASE("a request rate of 0 by flags is the default, as Kubernetes' client has it", "[config]") {
    const auto client =
        completed({"--kube-api-qps=0", "--kube-api-burst=0"}).configuration.client_connection;
    CHECK(client == ClientConnection{});
    CHECK(completed({"--kube-api-qps=-1"}).configuration.client_connection.qps == -1);
}

TEST_CASE("feature gates are refused before the log is set up, the log before all else",
          "[config]") {
    CHECK(refusal({"--feature-gates=NoSuch=true", "--oom-score-adj=2000"}) ==
          "failed complete: unrecognized feature gate: NoSuch");
    CHECK(refusal({"--logging-format=garbage", "--oom-score-adj=2000"}) ==
          "initialize logging: logging.format: Invalid value: \"garbage\": Unsupported log format");
    CHECK(
        refusal({"--config=x"}, file("logging: {verbosity: 2147483648, flushFrequency: -1s}\n")) ==
        "initialize logging: [logging.flushFrequency: Invalid value: \"-1s\": Must be greater "
        "than zero, logging.verbosity: Invalid value: 2147483648: Must be <= 2147483647]");
}

TEST_CASE("gates that are about to go are warned of when they are set", "[config]") {
    const auto warnings =
        completed({"--feature-gates=AllowServiceExternalIPs=false,AllAlpha=true,KMSv1=true"})
            .warnings;
    CHECK(warnings == std::vector<std::string>{
                          "Setting GA feature gate AllowServiceExternalIPs=false. It will be "
                          "removed in a future release.",
                          "Setting deprecated feature gate KMSv1=true. It will be removed in a "
                          "future release."});
}

TEST_CASE("the defaults that the flags' help names are the defaults", "[config]") {
    const auto expected = completed({}).configuration;
    std::vector<std::string> words;
    for (const auto& [name, value] : flag_values(Flags{}))
        if (name != "version" && name != "cleanup" && name != "init-only" && !value.empty() &&
            value != "[]")
            words.push_back("--" + name + "=" + value);
    Words all;
    for (const auto& word : words)
        all.push_back(word.c_str());
    CHECK(completed(all).configuration == expected);
    CHECK(completed(all).drain_limit == Options{}.drain_limit);
}

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "proxy/iptables/nft_tables.h"
#include "proxy/iptables/tool.h"
#include "tests/kernel/namespace.h"
#include "tests/proxy/iptables/recorded_rules.h"
#include "tests/proxy/iptables/shell.h"
#include "tests/proxy/iptables/tables_contract.h"

// The cases tagged [.nft] need a kernel with nf_tables and its compatibility layer, which user-mode
// Linux lacks: tests/kernel/qemu/run, or `unshare -n` where the host's kernel has them.

namespace ipvsproxy::iptables {
namespace {

using kernel_test::Namespace;

/// Whether the running kernel knows the match ipvs: some do not, without the rest suffering.
bool kernel_has_ipvs_match() {
    return run_tool({"iptables-nft", "-A", "INPUT", "-m", "ipvs", "--vproto", "6", "-j", "DROP"},
                    {})
               .status == 0;
}

TEST_CASE("NftTables keeps the table contract", "[iptables][.nft]") {
    const Namespace own;
    NftTables tables(GENERATE(Family::v4, Family::v6));
    keeps_contract(tables);
}

TEST_CASE("every rule given to iptables-nft-restore is read back as the same text",
          "[iptables][.nft]") {
    const Family family = GENERATE(Family::v4, Family::v6);
    bool with_ipvs = false;
    {
        const Namespace trial;
        with_ipvs = kernel_has_ipvs_match();
    }
    const Namespace own;
    create_sets(family);
    auto rules = all_rules(family);
    if (!with_ipvs)
        std::erase_if(rules, [](const PlacedRule& placed) {
            return placed.rule.find("-m ipvs") != std::string::npos;
        });
    TableChanges changes = changes_for(rules);
    changes.replace.try_emplace({TableName::filter, "KUBE-IPVS-OUT-FILTER"});
    NftTables tables(family);
    const auto refusals = tables.apply(changes);
    for (const TableRefusal& refusal : refusals)
        FAIL_CHECK(refusal.reason);
    REQUIRE(refusals.empty());
    const Chains seen = tables.snapshot();
    for (const auto& [chain, content] : changes.replace)
        CHECK(seen.at(chain) == content);
    CHECK(rules_of(tables, {TableName::nat, "OUTPUT"}) ==
          Rules{"-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES"});
}

/// PATH as it is given, until the end of the scope.
class Path {
public:
    explicit Path(const std::string& path) : former_(::getenv("PATH")) { // NOLINT(concurrency-*)
        ::setenv("PATH", path.c_str(), 1);                               // NOLINT(concurrency-*)
    }
    ~Path() { ::setenv("PATH", former_.c_str(), 1); } // NOLINT(concurrency-*)
    Path(const Path&) = delete;
    Path& operator=(const Path&) = delete;
    Path(Path&&) = delete;
    Path& operator=(Path&&) = delete;

private:
    std::string former_;
};

TEST_CASE("equal content does not even start iptables-nft-restore", "[iptables][.nft]") {
    const Namespace own;
    NftTables tables(Family::v4);
    const Chain chain{TableName::nat, "KUBE-A"};
    const TableChanges changes{.replace = {{chain, {"-p tcp -j RETURN"}}},
                               .insert = {{{TableName::nat, "OUTPUT"}, "-j KUBE-A"}}};
    REQUIRE(tables.apply(changes).empty());
    // A folder where only the reader is found.
    const std::string folder = output_of("printf %s $(mktemp -d)");
    output_of("ln -s $(command -v iptables-nft-save) " + folder);
    {
        const Path only_save(folder);
        CHECK(tables.apply(changes).empty());
        CHECK(tables.apply({.replace = {{chain, {}}}}).size() == 1);
    }
    std::filesystem::remove_all(folder);
    CHECK(rules_of(tables, chain) == Rules{"-p tcp -j RETURN"});
}

TEST_CASE("a refused rule is quoted in the reason", "[iptables][.nft]") {
    const Namespace own;
    NftTables tables(Family::v4);
    const Rule rule = "-m set --match-set KUBE-NO-SUCH dst -j RETURN";
    const auto refusals = tables.apply({.replace = {{{TableName::filter, "KUBE-A"}, {rule}}}});
    REQUIRE(refusals.size() == 1);
    CHECK(refusals.front().error == std::errc::no_such_file_or_directory);
    CHECK(refusals.front().reason.find(rule) != std::string::npos);
    CHECK_FALSE(tables.snapshot().contains({TableName::filter, "KUBE-A"}));
}

TEST_CASE("the errno and the line of a refused restore are found in what it printed",
          "[iptables]") {
    const std::string input = "*nat\n:KUBE-A - [0:0]\n-A KUBE-A -j KUBE-B\nCOMMIT\n";
    const auto kernel = restore_failure("iptables-nft-restore v1.8.9 (nf_tables): \n"
                                        "line 3: RULE_APPEND failed (No such file or directory): "
                                        "rule in chain KUBE-A\n",
                                        input);
    CHECK(kernel.error == std::errc::no_such_file_or_directory);
    CHECK(kernel.reason.ends_with("; that line: -A KUBE-A -j KUBE-B"));
    const auto words =
        restore_failure("iptables-restore v1.8.9 (nf_tables): Set KUBE-X doesn't exist.\n\n"
                        "Error occurred at line: 3\nTry `iptables-restore -h'\n",
                        input);
    CHECK(words.error == std::errc::no_such_file_or_directory);
    CHECK(words.reason.ends_with("; that line: -A KUBE-A -j KUBE-B"));
    CHECK(words.reason.find('\n') == std::string::npos);
    const auto odd = restore_failure("out of luck\n", input);
    CHECK(odd.error == std::errc::io_error);
    CHECK(odd.reason == "out of luck");
    CHECK(restore_failure("(Device or resource busy)", input).error ==
          std::errc::device_or_resource_busy);
    CHECK(restore_failure("line 99: x", input).reason == "line 99: x");
}

TEST_CASE("a tool gets its input, and its output, errors and status come back", "[iptables]") {
    const std::string long_input(300'000, 'x');
    const auto copied = run_tool({"cat"}, long_input);
    CHECK(copied.status == 0);
    CHECK(copied.out == long_input);
    const auto failed = run_tool({"sh", "-c", "echo out; echo bad >&2; exit 3"}, {});
    CHECK(failed.status == 3);
    CHECK(failed.out == "out\n");
    CHECK(failed.error == "bad\n");
    CHECK(run_tool({"sh", "-c", "kill -TERM $$"}, {}).status == 128 + SIGTERM);
}

TEST_CASE("a tool that is missing or never ends is an error", "[iptables]") {
    const auto code_of = [](const std::vector<std::string>& words) {
        try {
            run_tool(words, {}, std::chrono::milliseconds{50});
        } catch (const std::system_error& error) {
            return error.code();
        }
        return std::error_code{};
    };
    CHECK(code_of({"no-such-tool-at-all"}) == std::errc::no_such_file_or_directory);
    CHECK(code_of({"sleep", "10"}) == std::errc::timed_out);
}

TEST_CASE("without iptables-nft each table is refused, and the package named", "[iptables]") {
    const Path empty("/nowhere");
    NftTables tables(Family::v6);
    const auto refusals = tables.apply({.replace = {{{TableName::nat, "KUBE-A"}, {}}}});
    REQUIRE(refusals.size() == 1);
    CHECK(refusals.front().error == std::errc::no_such_file_or_directory);
    CHECK(refusals.front().reason.find("ip6tables-nft-save is not in PATH; install the package "
                                       "iptables") != std::string::npos);
    CHECK(tables.apply({}).empty());
}

} // namespace
} // namespace ipvsproxy::iptables

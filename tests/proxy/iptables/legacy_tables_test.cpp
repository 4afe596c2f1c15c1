#include <catch2/catch.hpp>

#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <unistd.h>

#include "netlink/handle.h"
#include "proxy/iptables/legacy_handle.h"
#include "proxy/iptables/legacy_tables.h"
#include "proxy/iptables/save_text.h"
#include "tests/kernel/namespace.h"
#include "tests/proxy/iptables/recorded_rules.h"
#include "tests/proxy/iptables/shell.h"
#include "tests/proxy/iptables/tables_contract.h"

namespace ipvsproxy::iptables {
namespace {

using kernel_test::Namespace;

/// A lock of its own for each test, and for the tools it runs.
class LockFile {
public:
    LockFile() : path_(std::filesystem::temp_directory_path() / "xtables-XXXXXX") {
        const FileDescriptor file(::mkstemp(path_.data()));
        REQUIRE(file);
        ::setenv("XTABLES_LOCKFILE", path_.c_str(), 1); // NOLINT(concurrency-mt-unsafe)
    }
    ~LockFile() {
        ::unsetenv("XTABLES_LOCKFILE"); // NOLINT(concurrency-mt-unsafe)
        std::filesystem::remove(path_);
    }
    LockFile(const LockFile&) = delete;
    LockFile& operator=(const LockFile&) = delete;
    LockFile(LockFile&&) = delete;
    LockFile& operator=(LockFile&&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

std::string save_command(Family family) {
    return family == Family::v4 ? "iptables-legacy-save" : "ip6tables-legacy-save";
}

/// The rules as iptables-save prints them, without canonical(): to the letter.
std::string lines_of(const TableChanges& changes, TableName table) {
    std::string lines;
    for (const auto& [chain, rules] : changes.replace)
        for (const Rule& rule : rules)
            if (chain.table == table) lines += "-A " + chain.name + " " + rule + "\n";
    return lines;
}

TEST_CASE("LegacyTables keeps the table contract", "[iptables][.kernel]") {
    const LockFile lock;
    const Namespace own;
    LegacyTables tables(GENERATE(Family::v4, Family::v6));
    keeps_contract(tables);
}

TEST_CASE("every rule we write is printed to the letter by iptables-legacy-save, and read back",
          "[iptables][.kernel]") {
    const LockFile lock;
    const Family family = GENERATE(Family::v4, Family::v6);
    const Namespace own;
    create_sets(family);
    LegacyTables tables(family);
    const TableChanges changes = changes_for(all_rules(family));
    const auto refusals = tables.apply(changes);
    for (const TableRefusal& refusal : refusals)
        FAIL_CHECK(refusal.reason);
    REQUIRE(refusals.empty());

    const Chains seen = tables.snapshot();
    for (const auto& [chain, rules] : changes.replace) {
        CHECK(seen.at(chain) == rules);
        const auto saved =
            output_of(save_command(family) + " -t " + std::string(name(chain.table)));
        for (const Rule& rule : rules) {
            const std::string line = "-A " + chain.name + " " + rule + "\n";
            INFO(line << saved);
            CHECK(saved.find(line) != std::string::npos);
        }
    }
    CHECK(parse_save(output_of(save_command(family))) == seen);
}

TEST_CASE("every rule written by iptables-legacy is read as the same text, and needs no write",
          "[iptables][.kernel]") {
    const LockFile lock;
    const Family family = GENERATE(Family::v4, Family::v6);
    const Namespace own;
    create_sets(family);
    const TableChanges changes = changes_for(all_rules(family));
    const auto file = std::filesystem::temp_directory_path() / "iptables-test-input";
    std::string input;
    for (const TableName table : {TableName::nat, TableName::filter}) {
        input += "*" + std::string(name(table)) + "\n";
        for (const auto& [chain, rules] : changes.replace)
            if (chain.table == table) input += ":" + chain.name + " - [0:0]\n";
        input += lines_of(changes, table) + "COMMIT\n";
    }
    std::ofstream(file) << input;
    output_of((family == Family::v4 ? "iptables" : "ip6tables") +
              std::string("-legacy-restore < ") + file.string());
    std::filesystem::remove(file);

    LegacyTables tables(family);
    const Chains seen = tables.snapshot();
    for (const auto& [chain, rules] : changes.replace)
        CHECK(seen.at(chain) == rules);
    const auto print = save_command(family) + " -c | grep -v '^#'";
    const auto before = output_of(print);
    CHECK(tables.apply({.replace = changes.replace}).empty());
    CHECK(output_of(print) == before);
}

TEST_CASE("other people's rules are shown as iptables-save shows them, or as unknown",
          "[iptables][.kernel]") {
    const LockFile lock;
    const Namespace own;
    output_of("iptables-legacy -A INPUT -p tcp -m tcp ! --dport 22 -j ACCEPT");
    output_of("iptables-legacy -A INPUT -p udp -m udp --sport 53 --dport 1024:65535 -j ACCEPT");
    output_of("iptables-legacy -A INPUT -p tcp -m multiport --dports 80,443,8000:8080 -j DROP");
    output_of("iptables-legacy -A INPUT -m state --state NEW -j ACCEPT");
    output_of("iptables-legacy -A INPUT -p tcp -m tcp --syn -j ACCEPT");
    output_of("iptables-legacy -A INPUT -m limit --limit 5/min -j LOG --log-prefix x");
    LegacyTables tables(Family::v4);
    const Chain input{TableName::filter, "INPUT"};
    Rules seen = rules_of(tables, input);
    REQUIRE(seen.size() == 6);
    CHECK(seen[4].starts_with("(unknown rule of "));
    CHECK(seen[5].starts_with("(unknown rule of "));
    seen.resize(4);
    CHECK(seen == Rules{"-p tcp -m tcp ! --dport 22 -j ACCEPT",
                        "-p udp -m udp --sport 53 --dport 1024:65535 -j ACCEPT",
                        "-p tcp -m multiport --dports 80,443,8000:8080 -j DROP",
                        "-m state --state NEW -j ACCEPT"});
    SECTION("they survive our writing to their chain") {
        const auto before = rules_of(tables, input);
        REQUIRE(tables.apply({.insert = {{input, "-p sctp -j DROP"}}}).empty());
        REQUIRE(tables.apply({.remove_rules = {{input, "-p sctp -j DROP"}}}).empty());
        CHECK(rules_of(tables, input) == before);
    }
    SECTION("one of them can be removed, also without words") {
        const auto unknown = rules_of(tables, input).at(4);
        REQUIRE(tables.apply({.remove_rules = {{input, unknown}}}).empty());
        CHECK(output_of("iptables-legacy-save").find("SYN") == std::string::npos);
        CHECK(rules_of(tables, input).size() == 5);
    }
}

TEST_CASE("looking at the tables creates none, and removing from a missing one neither",
          "[iptables][.kernel]") {
    const LockFile lock;
    const Namespace own;
    LegacyTables tables(Family::v4);
    CHECK(tables.snapshot().empty());
    const Chain chain{TableName::nat, "KUBE-SERVICES"};
    CHECK(tables.apply({.remove_rules = {{chain, "-j DROP"}}, .remove_chains = {chain}}).empty());
    CHECK(tables.snapshot().empty());
    REQUIRE(tables.apply({.replace = {{chain, {}}}}).empty());
    for (const auto& [seen, rules] : tables.snapshot())
        CHECK(seen.table == TableName::nat);
}

TEST_CASE("a built-in chain keeps its policy and counters when its rules are replaced",
          "[iptables][.kernel]") {
    const LockFile lock;
    const Namespace own;
    output_of("printf '*filter\\n:INPUT ACCEPT [7:700]\\n:FORWARD DROP [3:300]\\n-A INPUT -j "
              "ACCEPT\\nCOMMIT\\n' | "
              "iptables-legacy-restore --counters --noflush");
    LegacyTables tables(Family::v4);
    const Chain input{TableName::filter, "INPUT"};
    const Chain forward{TableName::filter, "FORWARD"};
    REQUIRE(tables.apply({.replace = {{input, {"-j DROP"}}, {forward, {"-j RETURN"}}}}).empty());
    const auto saved = output_of("iptables-legacy-save -c -t filter");
    CHECK(saved.find(":INPUT ACCEPT [7:700]") != std::string::npos);
    CHECK(saved.find(":FORWARD DROP [3:300]") != std::string::npos);
    CHECK(saved.find("-A INPUT -j DROP") != std::string::npos);
}

TEST_CASE("a rule that names a missing set, or one of the other family, is refused with the name",
          "[iptables][.kernel]") {
    const LockFile lock;
    const Namespace own;
    create_sets(Family::v6);
    LegacyTables tables(Family::v4);
    const Chain chain{TableName::filter, "KUBE-X"};
    const std::string set = GENERATE("KUBE-NO-SUCH", "KUBE-6-CLUSTER-IP");
    const auto refusals =
        tables.apply({.replace = {{chain, {"-m set --match-set " + set + " dst,dst -j RETURN"}}}});
    REQUIRE(refusals.size() == 1);
    CHECK(refusals.front().error == std::errc::no_such_file_or_directory);
    CHECK(refusals.front().reason.find(set) != std::string::npos);
    CHECK_FALSE(tables.snapshot().contains(chain));
}

TEST_CASE("a table changed since it was read takes no commit, and can be read anew",
          "[iptables][.kernel]") {
    const Namespace own;
    std::error_code error;
    const auto first = LegacyHandle::open(Family::v4, TableName::filter, error);
    REQUIRE(first);
    const auto second = LegacyHandle::open(Family::v4, TableName::filter, error);
    REQUIRE(second);
    CHECK_FALSE(second->create_chain("KUBE-B"));
    CHECK_FALSE(second->commit());
    CHECK_FALSE(first->create_chain("KUBE-A"));
    CHECK(first->commit() == std::errc::resource_unavailable_try_again);
    const auto third = LegacyHandle::open(Family::v4, TableName::filter, error);
    REQUIRE(third);
    CHECK(third->has_chain("KUBE-B"));
    CHECK_FALSE(third->has_chain("KUBE-A"));
}

TEST_CASE("while another program holds the xtables lock each table is refused, and the lock named",
          "[iptables]") {
    const LockFile lock;
    const FileDescriptor holder(::open(lock.path().c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(::flock(holder.get(), LOCK_EX) == 0);
    LegacyTables tables(Family::v4, lock.path(), std::chrono::milliseconds{50});
    const auto refusals = tables.apply({.replace = {{{TableName::nat, "KUBE-X"}, {}}},
                                        .insert = {{{TableName::filter, "INPUT"}, "-j DROP"}}});
    REQUIRE(refusals.size() == 2);
    CHECK(refusals[0].table == TableName::nat);
    CHECK(refusals[1].table == TableName::filter);
    CHECK(refusals[0].error == std::errc::operation_would_block);
    CHECK(refusals[0].reason.find(lock.path()) != std::string::npos);
    CHECK(refusals[0].reason.find("another program") != std::string::npos);
}

TEST_CASE("the xtables lock is waited for, and given back", "[iptables]") {
    const LockFile file;
    {
        const LegacyLock first(file.path(), std::chrono::milliseconds{0});
        CHECK_FALSE(first.error());
        const LegacyLock second(file.path(), std::chrono::milliseconds{40});
        CHECK(second.error() == std::errc::operation_would_block);
    }
    const LegacyLock third(file.path(), std::chrono::milliseconds{0});
    CHECK_FALSE(third.error());
    const LegacyLock nowhere("/no/such/folder/lock", std::chrono::milliseconds{0});
    CHECK(nowhere.error() == std::errc::no_such_file_or_directory);
}

TEST_CASE("P-040 a kernel from 3.14 on is known to take --random-fully", "[iptables]") {
    CHECK_FALSE(kernel_knows_random_fully("2.6.32-754.el6.x86_64"));
    CHECK_FALSE(kernel_knows_random_fully("3.10.0-1160.el7.x86_64"));
    CHECK(kernel_knows_random_fully("3.14.0"));
    CHECK(kernel_knows_random_fully("6.1.0-56-cloud-amd64"));
    CHECK(kernel_knows_random_fully("strange"));
}

} // namespace
} // namespace ipvsproxy::iptables

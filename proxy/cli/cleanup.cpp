// ipvsproxy cleanup: takes out what a proxy made, and nothing else.
#include <algorithm>
#include <iostream>
#include <memory>

#include "ipset/memory_table.h"
#include "ipvs/memory_table.h"
#include "netlink/memory_conntrack.h"
#include "proxy/cli/command.h"
#include "proxy/cli/session.h"
#include "proxy/iptables/nft_raw.h"
#include "proxy/log/log.h"
#include "proxy/plan/cleanup.h"

namespace ipvsproxy::cli {
namespace {

std::string rule_words(const iptables::TableRefusal& refusal, Family family) {
    return std::string{family == Family::v4 ? "iptables" : "ip6tables"} + " table " +
           std::string{iptables::name(refusal.table)} + ": " + refusal.reason;
}

/// Everything that was refused, in words.
std::vector<std::string> refusals(const sync::Outcome& outcome) {
    std::vector<std::string> all;
    for (const auto& failure : outcome.failures)
        all.push_back(std::string{sync::name(failure.part)} + ": " + failure.reason);
    for (const auto& refusal : outcome.ipvs.services)
        all.push_back("virtual server " + refusal.key.text() + ": " + refusal.error.message());
    for (const auto& refusal : outcome.sets.refused)
        all.push_back("ipset " + refusal.key.set + ": " + refusal.error.message() +
                      "; a rule that is not the proxy's may still name it");
    for (const auto family : families)
        for (const auto& refusal : outcome.rules[family])
            all.push_back(rule_words(refusal, family));
    return all;
}

/// In a handler: a kernel that has none of a kind of table, and cannot load it, holds nothing of
/// the kind either. Other errors go on.
void pass_over(const std::system_error& error) {
    if (error.code() != std::errc::protocol_not_supported) throw;
    log::verbose(2, "Nothing of this kind to remove", {{"reason", error.what()}});
}

std::unique_ptr<ipvs::Table> open_ipvs() {
    try {
        return std::make_unique<ipvs::KernelTable>();
    } catch (const std::system_error& error) {
        pass_over(error);
    }
    return std::make_unique<ipvs::MemoryTable>();
}

std::unique_ptr<ipset::Table> open_ipset() {
    try {
        auto table = std::make_unique<ipset::KernelTable>();
        table->headers(); // only now does it show whether the kernel has sets
        return table;
    } catch (const std::system_error& error) {
        pass_over(error);
    }
    return std::make_unique<ipset::MemoryTable>();
}

/// The tables of this node, both families. Those that the kernel does not have are empty.
struct Tables {
    explicit Tables(iptables::Backend backend)
        : rules{sync::open_tables(backend, Family::v4), sync::open_tables(backend, Family::v6)} {}

    KernelDevice device{std::string{sync::device_name}};
    std::unique_ptr<ipvs::Table> ipvs{open_ipvs()};
    std::unique_ptr<ipset::Table> ipset{open_ipset()};
    PerFamily<std::unique_ptr<iptables::Tables>> rules;
    MemoryFlows flows; ///< a cleanup forgets none
    sync::Kernel kernel{device, *ipvs, *ipset, {rules.v4.get(), rules.v6.get()}, flows};
};

class Removal {
public:
    explicit Removal(bool dry_run) : dry_run_{dry_run} {}

    /// A variant that this kernel does not have holds no rules.
    void remove_rules(iptables::Backend backend, Family family) {
        const auto tables = sync::open_tables(backend, family);
        plan::NodeSnapshot seen;
        try {
            seen.chains[family] = tables->snapshot();
        } catch (const std::exception& error) {
            log::verbose(2, "No rules of this variant to be seen",
                         {{"backend", iptables::name(backend)}, {"err", error.what()}});
            return;
        }
        auto changes = plan::cleanup(seen);
        count(changes, '-' + std::string{iptables::name(backend)});
        if (dry_run_ || changes.rules[family].empty()) return;
        for (const auto& refusal : tables->apply(changes.rules[family]))
            refused_.push_back(rule_words(refusal, family));
    }

    /// What kube-proxy's nftables mode made is one table a family.
    void remove_nft_mode() {
        const auto tables = iptables::nft_table_names();
        for (const auto family : families) {
            const auto name = iptables::nft_mode_table(family);
            if (std::ranges::find(tables, name) == tables.end()) continue;
            ++changes_;
            if (dry_run_) {
                lines_.push_back({plan::Sign::remove,
                                  "nft",
                                  "nft delete table " + name,
                                  "made by the proxy",
                                  {}});
            } else if (const auto error = iptables::delete_nft_mode_table(family)) {
                refused_.push_back("nftables table " + name + ": " + error.message());
            }
        }
    }

    void remove_all(sync::Kernel& kernel) {
        sync::Round round;
        round.changes = plan::cleanup(sync::snapshot(kernel));
        count(round.changes);
        if (dry_run_) return;
        for (auto& line : refusals(sync::apply(kernel, round)))
            refused_.push_back(std::move(line));
    }

    int finish() const {
        for (const auto& line : refused_)
            std::cerr << "refused: " << line << '\n';
        if (dry_run_) std::cout << plan::text(lines_);
        else
            std::cout << changes_ - std::min(changes_, refused_.size())
                      << (changes_ == 1 ? " object" : " objects") << " removed, " << refused_.size()
                      << " refused\n";
        return refused_.empty() ? exit_success : exit_failure;
    }

private:
    /// @param variant of iptables, where it is not the one that the plain name stands for: `-nft`
    void count(const plan::NodeChanges& changes, const std::string& variant = {}) {
        changes_ += changes.size();
        if (!dry_run_) return;
        for (auto& line : plan::describe(changes, plan::NodeState{plan::Settings{}})) {
            if (line.table == "iptables") line.command.insert(line.command.find(' '), variant);
            lines_.push_back(std::move(line));
        }
    }

    bool dry_run_;
    std::size_t changes_{};
    std::vector<plan::Line> lines_; ///< of a dry run
    std::vector<std::string> refused_;
};

} // namespace

int cleanup(const Invocation& call) {
    auto its_call = call;
    its_call.flags.given["cleanup"] = {"true"}; // which a file of another mode may go with
    complete_options(its_call);
    return clean_node(call.dry_run);
}

int clean_node(bool dry_run) {
    Removal removal{dry_run};
    removal.remove_nft_mode();
    // Rules of the variant that is not in use now go first: while they name a set, it cannot go.
    const auto chosen = iptables::choose_backend(std::nullopt).backend;
    const auto other =
        chosen == iptables::Backend::legacy ? iptables::Backend::nft : iptables::Backend::legacy;
    for (const auto family : families)
        removal.remove_rules(other, family);
    Tables tables{chosen};
    removal.remove_all(tables.kernel);
    return removal.finish();
}

} // namespace ipvsproxy::cli

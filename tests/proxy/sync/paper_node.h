// A node on paper: every table a twin, objects in, rounds by hand, time as the test says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ipset/memory_table.h"
#include "ipvs/memory_table.h"
#include "netlink/memory_conntrack.h"
#include "netlink/memory_device.h"
#include "proxy/iptables/memory_tables.h"
#include "proxy/sync/cluster.h"

namespace ipvsproxy::sync {

/// @name Short forms of objects.
///@{
model::ServicePort port(std::uint16_t number, Protocol protocol = Protocol::tcp);
/// Service default/NAME with these cluster IPs (one for each family, or one alone).
model::Service service(const std::string& name, std::string_view cluster_ips,
                       model::MostlyOne<model::ServicePort> ports = {port(80)});
/// Its slice NAME-1: endpoints as plan::endpoints() reads them, each service port at 8000 + port.
model::EndpointSlice backends(const model::Service& service, std::string_view line);
ipvs::DestinationKey real_server(std::string_view server, std::string_view address,
                                 std::uint16_t port = 8080);
///@}

/// The twins of all tables, and what is seen of them.
class PaperTables {
public:
    PaperTables();
    MemoryDevice device;
    ipvs::MemoryTable ipvs;
    ipset::MemoryTable ipset;
    PerFamily<iptables::MemoryTables> rules{iptables::MemoryTables{Family::v4},
                                            iptables::MemoryTables{Family::v6}};
    MemoryFlows flows;
    Kernel kernel{device, ipvs, ipset, {&rules.v4, &rules.v6}, flows};

    /// Requests that change something, over all tables.
    std::size_t writes() const;
    /// What is there, as the tools would show it.
    std::string text();
};

/// A cluster over such tables (or over others that wrap them), without a loop.
class PaperNode {
public:
    explicit PaperNode(plan::Settings settings = {});
    PaperNode(Kernel& kernel, model::Store& store, plan::Settings settings = {});

    PaperTables tables;
    model::Store own_store;
    plan::Moment now{std::chrono::hours{1}};

    Cluster& cluster() noexcept { return *cluster_; }
    model::Store& store() noexcept { return store_; }
    PaperNode& put(const model::Service& service, std::string_view endpoints);
    PaperNode& remove(const std::string& name);

    /// As the daemon begins: reads everything.
    void adopt();
    /// Derives what changed, writes it, learns from the outcome.
    Report round();
    Report round_in(std::chrono::seconds pause);
    /// Reads everything, a portion at a time, and says at how many objects it was wrong.
    std::size_t audit(std::size_t slice = 512);
    std::size_t audit(const std::set<Part>& parts);
    /// A new cluster over the same tables and objects.
    void restart();
    /// What is wanted, as the tools would show it.
    std::string wanted();
    /// Rounds and re-readings, with as much time between them as is asked for.
    void settle();

private:
    void list_again();

    plan::Settings settings_;
    Kernel& kernel_;
    model::Store& store_;
    std::optional<Cluster> cluster_;
};

/// Lines that stand in one of the texts only, `+` in the first and `-` in the second.
std::vector<std::string> differing_lines(const std::string& one, const std::string& other);

} // namespace ipvsproxy::sync

// A node on paper: objects in, what is wanted and what is to be done out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/model/store.h"
#include "proxy/plan/node_state.h"

namespace ipvsproxy::plan {

using Lines = std::vector<std::string>;

/// @name Short forms of values.
///@{
Address ip(std::string_view text);
ipvs::ServiceKey key(std::string_view text); ///< `10.96.0.10:80/TCP`
/// Endpoints in a line, 10.244.0.N each: `L.1` on node n1, `R.2` on another, both ready; then
/// `!term` serves while it terminates, `!dead` only terminates, `!unready`; `@a,b` zone hints;
/// `#n1,n2` node hints. So `L.1@a R.2!term`.
std::vector<model::Endpoint> endpoints(std::string_view line);
/// A slice of default/web with those endpoints behind port "http", 8080/TCP.
model::EndpointSlice slice(std::string_view line, std::string name = "web-1");
/// Service default/web, 10.96.0.10, port "http" 80/TCP.
model::Service web(model::ServiceType type = model::ServiceType::cluster_ip);
/// The last numbers of addresses: `.1 .2`.
std::string short_form(const std::vector<AddressPort>& all);
///@}

/// Node n1 with 192.0.2.10 on eth0 (2001:db8::10 besides), and a kernel that takes every change.
class Scenario {
public:
    explicit Scenario(Settings settings = {});

    model::Store store;
    NodeFacts node;

    /// Objects as an operator would apply them. Throws when one is refused.
    Scenario& apply(std::string_view yaml);
    Scenario& put(model::Service service);
    Scenario& put(model::EndpointSlice slice);
    /// The node's interfaces change; every service is derived anew.
    void interfaces(const std::vector<InterfaceAddress>& elsewhere);

    /// Derives what changed. Every view below does so first.
    NodeState& state();
    /// `10.96.0.10:80/TCP -> 10.244.0.5:8080`, with scheduler, flags and timeout where they are
    /// not rr, 0 and 0.
    Lines servers();
    /// What one virtual server leads to, in short form; "none" when there is no such server.
    std::string reached(std::string_view server);
    /// The entries of a set, as `ipset save` prints them.
    Lines entries(const std::string& set);
    /// Bound on kube-ipvs0.
    Lines addresses();
    Lines chain(iptables::TableName table, const std::string& name, Family family = Family::v4);
    /// What is to be done, as text, and no more than that.
    std::string plan();
    /// As plan(), and then it is done.
    std::string round();
    /// The kernel, as the tools would show it. Others may change it too.
    NodeSnapshot kernel;
    /// The state takes a look at the kernel. @return what it did not expect.
    std::size_t look();

private:
    Settings settings_;
    NodeState state_;
    bool all_{true};
};

/// Makes the changes in a kernel that refuses nothing.
void patch(NodeSnapshot& kernel, const NodeChanges& changes);
/// The state learns that they were made.
void learn(NodeState& state, const NodeChanges& changes);

} // namespace ipvsproxy::plan

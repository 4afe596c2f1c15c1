// From options and objects to a cluster; and the switches a kernel needs before the first round.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proxy/config/options.h"
#include "proxy/config/sysctls.h"
#include "proxy/model/store.h"
#include "proxy/sync/cluster.h"
#include "proxy/sync/real_kernel.h"

namespace ipvsproxy::sync {

/// How settings that do not fit the node are told: as errors, as kube-proxy does, or only at a
/// verbosity of 1, where a command is run again and again.
enum class Complaints : std::uint8_t { errors, verbose };

/// The node as its object in the store describes it; without one, by its hostname and the address
/// it would send from.
/// @param store outlives the cluster.
/// @throws std::runtime_error when the settings cannot work on this node at all.
std::unique_ptr<Cluster> make_cluster(const config::Options& options, model::Store& store,
                                      const PerFamily<bool>& enabled,
                                      const PerFamily<bool>& random_fully,
                                      std::span<const InterfaceAddress> elsewhere,
                                      Complaints complaints);

/// The same on the families that `kernel` has, every wish derived. @param kernel null when there is
/// none to ask: both families are taken to be there.
std::unique_ptr<Cluster> make_cluster(const config::Options& options, model::Store& store,
                                      RealKernel* kernel,
                                      std::span<const InterfaceAddress> elsewhere,
                                      Complaints complaints = Complaints::verbose);

/// The same on families that are known from elsewhere, with an iptables that can do all.
std::unique_ptr<Cluster> make_cluster(const config::Options& options, model::Store& store,
                                      const PerFamily<bool>& enabled,
                                      std::span<const InterfaceAddress> elsewhere);

/// What no Node can do without where pods are told by its podCIDRs (detectLocalMode NodeCIDR).
/// @throws std::runtime_error when they are not known.
void require_pod_cidrs(const config::Options& options, const model::Store& store);

/// The iptables variant that the operator has set; nothing: look and choose.
std::optional<iptables::Backend> wanted_backend(const config::Options& options);

/// The tables of this namespace, opened as the options want them.
std::unique_ptr<RealKernel> open_kernel(const config::Options& options);

/// Takes over what may change of a Node while the process lives: the zone. Its addresses stay those
/// seen at the start, as kube-proxy's do.
void take_node(Cluster& cluster, const config::Options& options, const model::Store& store);

/// A kernel switch, or the IPVS timeouts, that stands otherwise than the configuration asks for.
struct SwitchChange {
    std::string command; ///< `sysctl -w net.ipv4.vs.conntrack=1`, `ipvsadm --set 900 0 0`
    std::string reason;  ///< `is 0`
};
/// What prepare() would change. Reads only.
std::vector<SwitchChange> switch_changes(RealKernel& kernel, const config::Options& options);

/// Sets the switches, the conntrack table's size and the IPVS timeouts that differ, and makes sure
/// that the kernel has the scheduler, before any switch of IPVS is set. What is a mere wish and
/// cannot be set is a warning (D-21).
/// @return how many it set.
/// @throws std::runtime_error when a switch cannot be set without which nothing is forwarded;
/// std::system_error when the scheduler is missing.
std::size_t prepare(RealKernel& kernel, const config::Options& options);

} // namespace ipvsproxy::sync

#include "tests/proxy/sync/paper_node.h"

#include <algorithm>
#include <sstream>

#include "proxy/plan/text.h"
#include "proxy/sync/audit.h"
#include "tests/proxy/plan/scenario.h"

namespace ipvsproxy::sync {
namespace {

plan::NodeFacts facts() {
    plan::NodeFacts node;
    node.name = model::Symbol{"n1"};
    node.ip = {plan::ip("192.0.2.10"), plan::ip("2001:db8::10")};
    return node;
}

std::multiset<std::string> lines(const std::string& text) {
    std::multiset<std::string> all;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);)
        all.insert(line);
    return all;
}

} // namespace

model::ServicePort port(std::uint16_t number, Protocol protocol) {
    return {.name = model::Symbol{"p" + std::to_string(number)},
            .protocol = protocol,
            .port = Port{number}};
}

model::Service service(const std::string& name, std::string_view cluster_ips,
                       model::MostlyOne<model::ServicePort> ports) {
    model::Service object{.name = {"default", name}, .ports = std::move(ports)};
    std::istringstream in{std::string{cluster_ips}};
    for (std::string word; in >> word;) {
        const auto address = plan::ip(word);
        object.cluster_ip[address.family()] = address;
    }
    return object;
}

model::EndpointSlice backends(const model::Service& service, std::string_view line) {
    model::EndpointSlice slice{.name = {"default", service.name.name.text() + "-1"},
                               .service = service.name,
                               .endpoints = plan::endpoints(line)};
    for (const auto& one : service.ports)
        slice.ports.push_back({.name = one.name,
                               .protocol = one.protocol,
                               .port = Port{static_cast<std::uint16_t>(8000 + one.port.value)}});
    return slice;
}

ipvs::DestinationKey real_server(std::string_view server, std::string_view address,
                                 std::uint16_t port) {
    return {plan::key(server), plan::ip(address), Port{port}};
}

PaperTables::PaperTables() {
    device.state().elsewhere = {{"eth0", plan::ip("192.0.2.10")},
                                {"eth0", plan::ip("2001:db8::10")}};
}

std::size_t PaperTables::writes() const {
    return device.applies() + static_cast<std::size_t>(ipvs.writes()) + ipset.writes() +
           static_cast<std::size_t>(rules.v4.writes() + rules.v6.writes());
}

std::string PaperTables::text() {
    return plan::text(snapshot(kernel));
}

PaperNode::PaperNode(plan::Settings settings)
    : settings_{std::move(settings)}, kernel_{tables.kernel}, store_{own_store} {
    cluster_.emplace(store_, settings_, facts());
}

PaperNode::PaperNode(Kernel& kernel, model::Store& store, plan::Settings settings)
    : settings_{std::move(settings)}, kernel_{kernel}, store_{store} {
    cluster_.emplace(store_, settings_, facts());
    list_again();
}

/// As if all objects had just been listed.
void PaperNode::list_again() {
    for (const auto& [name, object] : std::map{store_.services()}) {
        store_.remove_service(name);
        store_.put(object);
    }
}

PaperNode& PaperNode::put(const model::Service& service, std::string_view endpoints) {
    store_.put(service);
    store_.put(backends(service, endpoints));
    return *this;
}

PaperNode& PaperNode::remove(const std::string& name) {
    store_.remove_service({"default", name});
    store_.remove_slice({"default", name + "-1"});
    return *this;
}

void PaperNode::adopt() {
    const auto seen = snapshot(kernel_);
    cluster_->set_interfaces(seen.device.elsewhere);
    cluster_->derive();
    cluster_->state().observe(seen);
}

Report PaperNode::round() {
    cluster_->derive();
    auto work = cluster_->take_round(now);
    if (work.empty()) return {};
    const auto outcome = apply(kernel_, work);
    return cluster_->settle(work, outcome);
}

Report PaperNode::round_in(std::chrono::seconds pause) {
    now += pause;
    return round();
}

std::size_t PaperNode::audit(std::size_t slice) {
    return sync::audit(*cluster_, kernel_, slice);
}

std::size_t PaperNode::audit(const std::set<Part>& parts) {
    return sync::audit(*cluster_, kernel_, parts);
}

void PaperNode::restart() {
    list_again();
    cluster_.emplace(store_, settings_, facts());
    adopt();
}

std::string PaperNode::wanted() {
    cluster_->derive();
    return plan::text(cluster_->state().desired());
}

void PaperNode::settle() {
    for (int i = 0; i < 100; ++i) {
        const auto report = round();
        if (!report.doubtful.empty()) audit(report.doubtful);
        const auto due = cluster_->next_due(now);
        if (!due && report.clean() && cluster_->state().changes(now).empty()) return;
        if (due) now = *due;
    }
}

std::vector<std::string> differing_lines(const std::string& one, const std::string& other) {
    const auto here = lines(one), there = lines(other);
    std::vector<std::string> found;
    std::vector<std::string> some;
    std::ranges::set_difference(here, there, std::back_inserter(some));
    found.reserve(here.size() + there.size());
    for (const auto& line : some)
        found.push_back("+ " + line);
    some.clear();
    std::ranges::set_difference(there, here, std::back_inserter(some));
    for (const auto& line : some)
        found.push_back("- " + line);
    return found;
}

} // namespace ipvsproxy::sync

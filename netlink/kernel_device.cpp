#include "netlink/kernel_device.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace ipvsproxy {

namespace {

using Refusals = std::vector<Refusal<DeviceAddress>>;

enum class Kind : std::uint8_t { remove, update, add };

/// A batch, what each of its messages stands for, and what cannot be tried at all.
struct Batch {
    std::optional<int> link; ///< the device's index, if it is there
    netlink::Messages messages{};
    netlink::NewAddressEncoder encoder{};
    std::vector<std::pair<Kind, DeviceAddress>> meaning{};
    Refusals refused{};

    void put(Kind kind, const DeviceAddress& key, const DeviceAddressSpec& spec) {
        if (key.binding == Binding::route) {
            if (kind == Kind::remove) put_delete_route(messages, key.address);
            else put_new_route(messages, key.address); // has nothing that could be replaced
        } else if (!link) {
            refused.push_back({key, std::make_error_code(std::errc::no_such_device)});
            return;
        } else if (kind == Kind::remove) {
            put_delete_address(messages, *link, key);
        } else {
            const auto write = kind == Kind::add ? netlink::Write::create : netlink::Write::replace;
            encoder.put(messages, *link, key, spec, write);
        }
        meaning.emplace_back(kind, key);
    }
};

Batch encode(std::optional<int> link, const DeviceAddressChanges& changes) {
    Batch batch{.link = link};
    batch.meaning.reserve(changes.size());
    for (const DeviceAddress& key : changes.remove)
        batch.put(Kind::remove, key, {});
    for (const auto& [key, spec] : changes.update)
        batch.put(Kind::update, key, spec);
    for (const auto& [key, spec] : changes.add)
        batch.put(Kind::add, key, spec);
    return batch;
}

/// The kernel's ways of saying that what is to be removed is not there.
bool is_missing(const std::error_code& error) {
    return error == std::errc::address_not_available || error == std::errc::no_such_process;
}

} // namespace

KernelDevice::KernelDevice(std::string name)
    : name_{std::move(name)}, socket_{NETLINK_ROUTE, {.strict_dumps = true}} {}

std::vector<netlink::LinkAddress> KernelDevice::addresses() {
    std::vector<netlink::LinkAddress> found;
    auto request = netlink::addresses_request();
    socket_.steady_dump(
        request, [&] { found.clear(); },
        [&](const netlink::Message& message) {
            if (const auto address = decode_address(message)) found.push_back(*address);
        });
    return found;
}

std::vector<Address> KernelDevice::routes() {
    std::vector<Address> found;
    for (const auto family : families) {
        const auto before = found.size();
        auto request = netlink::routes_request(family);
        socket_.steady_dump(
            request, [&] { found.resize(before); },
            [&](const netlink::Message& message) {
                const auto address = decode_route(message);
                if (address && address->family() == family) found.push_back(*address);
            });
    }
    return found;
}

/// Addresses before links: an address whose link is not among the links then belongs to one that
/// has gone since, and so has the address.
DeviceState KernelDevice::snapshot() {
    const auto found = addresses();
    std::map<int, netlink::Link> links;
    auto request = netlink::links_request();
    socket_.steady_dump(
        request, [&] { links.clear(); },
        [&](const netlink::Message& message) {
            if (auto link = decode_link(message)) links.insert_or_assign(link->index, *link);
        });

    DeviceState state;
    for (const auto& [index, link] : links) {
        if (link.name != name_) continue;
        state.present = true;
        state.up = link.up;
        state.kind = link.kind;
    }
    for (const netlink::LinkAddress& address : found) {
        const auto link = links.find(address.link_index);
        if (link == links.end()) continue;
        if (link->second.name == name_) state.addresses.insert_or_assign(address.key, address.spec);
        else state.elsewhere.push_back({link->second.name, address.key.address});
    }
    for (const Address& address : routes())
        state.addresses.insert_or_assign(local_route(address), DeviceAddressSpec{});
    auto& others = state.elsewhere; // two prefix lengths of one address are one entry
    std::sort(others.begin(), others.end());
    others.erase(std::unique(others.begin(), others.end()), others.end());
    return state;
}

std::optional<int> KernelDevice::index() {
    std::optional<int> index;
    auto request = netlink::link_request(name_);
    const auto error = socket_.request(request, [&](const netlink::Message& message) {
        if (const auto link = decode_link(message)) index = link->index;
    });
    if (error && error != std::errc::no_such_device)
        throw std::system_error(error, "reading device " + name_);
    return index;
}

void KernelDevice::create() {
    auto request = netlink::create_dummy_request(name_);
    const auto error = socket_.request(request);
    if (error && error != std::errc::file_exists)
        throw std::system_error(error, "creating device " + name_);
}

void KernelDevice::destroy() {
    auto request = netlink::delete_link_request(name_);
    const auto error = socket_.request(request);
    if (error && error != std::errc::no_such_device)
        throw std::system_error(error, "deleting device " + name_);
}

DeviceOutcome KernelDevice::apply(const DeviceAddressChanges& changes) {
    if (changes.empty()) return {};
    const auto link = index();
    Batch batch = encode(link, changes);
    const netlink::BatchOutcome answers = socket_.batch(batch.messages);

    DeviceOutcome outcome{.refused = std::move(batch.refused), .unknown = answers.unknown};
    std::vector<DeviceAddress> existing;
    for (const netlink::Failure& failure : answers.failures) {
        const auto& [kind, key] = batch.meaning.at(failure.index);
        if (kind == Kind::remove && is_missing(failure.error)) continue;
        if (key.binding == Binding::route && failure.error == std::errc::file_exists) continue;
        if (kind == Kind::add && failure.error == std::errc::file_exists) existing.push_back(key);
        else outcome.refused.push_back({key, failure.error});
    }
    if (existing.empty()) return outcome;

    DeviceAddresses present;
    for (const netlink::LinkAddress& address : addresses())
        if (address.link_index == *link) present.insert_or_assign(address.key, address.spec);
    for (const DeviceAddress& key : existing) {
        const auto found = present.find(key);
        if (found == present.end() || found->second != changes.add.at(key))
            outcome.refused.push_back({key, std::make_error_code(std::errc::file_exists)});
    }
    return outcome;
}

} // namespace ipvsproxy

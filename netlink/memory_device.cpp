#include "netlink/memory_device.h"

namespace ipvsproxy {

namespace {

/// Whether the address stands on the device with another prefix length, which the kernel allows for
/// IPv4 only.
bool held_otherwise(const DeviceAddresses& addresses, const DeviceAddress& key) {
    if (key.address.family() != Family::v6 || key.binding != Binding::address) return false;
    for (auto at = addresses.lower_bound({key.address, 0});
         at != addresses.end() && at->first.address == key.address; ++at)
        if (at->first.binding == Binding::address && at->first != key) return true;
    return false;
}

} // namespace

void MemoryDevice::create() {
    if (state_.present) return;
    state_.present = true;
    state_.up = false;
    state_.kind = "dummy";
}

void MemoryDevice::destroy() {
    state_.present = false;
    state_.up = false;
    state_.kind.clear();
    erase_if(state_.addresses,
             [](const auto& entry) { return entry.first.binding == Binding::address; });
}

void MemoryDevice::refuse(const DeviceAddress& key, std::error_code error) {
    if (error) refused_.insert_or_assign(key, error);
    else refused_.erase(key);
}

std::error_code MemoryDevice::refusal(const DeviceAddress& key) const {
    if (!state_.present && key.binding == Binding::address)
        return std::make_error_code(std::errc::no_such_device);
    const auto found = refused_.find(key);
    return found == refused_.end() ? std::error_code{} : found->second;
}

std::error_code MemoryDevice::remove(const DeviceAddress& key) {
    if (const auto error = refusal(key)) return error;
    state_.addresses.erase(key);
    return {};
}

std::error_code MemoryDevice::update(const DeviceAddress& key, const DeviceAddressSpec& spec) {
    if (const auto error = refusal(key)) return error;
    state_.addresses.insert_or_assign(key, spec);
    return {};
}

std::error_code MemoryDevice::add(const DeviceAddress& key, const DeviceAddressSpec& spec) {
    if (const auto error = refusal(key)) return error;
    if (held_otherwise(state_.addresses, key)) return std::make_error_code(std::errc::file_exists);
    const auto [entry, fresh] = state_.addresses.emplace(key, spec);
    return fresh || entry->second == spec ? std::error_code{}
                                          : std::make_error_code(std::errc::file_exists);
}

DeviceOutcome MemoryDevice::apply(const DeviceAddressChanges& changes) {
    if (changes.empty()) return {};
    ++applies_;
    DeviceOutcome outcome;
    const auto note = [&](const DeviceAddress& key, std::error_code error) {
        if (error) outcome.refused.push_back({key, error});
    };
    for (const DeviceAddress& key : changes.remove)
        note(key, remove(key));
    for (const auto& [key, spec] : changes.update)
        note(key, update(key, spec));
    for (const auto& [key, spec] : changes.add)
        note(key, add(key, spec));
    if (losing_) return {.refused = {}, .unknown = true};
    return outcome;
}

} // namespace ipvsproxy

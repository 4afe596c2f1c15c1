#include "ipset/memory_table.h"

#include <cerrno>
#include <utility>

#include "ipset/error.h"

namespace ipvsproxy::ipset {
namespace {

constexpr std::size_t max_name_length = 31; // IPSET_MAXNAMELEN

std::error_code refusal(int number) noexcept {
    return {number, std::generic_category()};
}

bool has_valid_length(const std::string& name) noexcept {
    return !name.empty() && name.size() <= max_name_length;
}

/// What a set of this spec says to an entry, whatever it holds already.
std::error_code fits(const SetSpec& spec, const Entry& entry) {
    if (spec.type == Type::bitmap_port)
        return entry.port.value < spec.max_entries ? std::error_code{} : Error::full;
    // An IPv6 set holds IPv4-mapped addresses, which read as IPv4.
    if (spec.family == Family::v4 && entry.address.family() == Family::v6) return Error::protocol;
    if (spec.type == Type::hash_ip && entry.address.is_unspecified()) return Error::invalid_entry;
    if (spec.type == Type::hash_ip_port_net && entry.second.length() == 0)
        return Error::invalid_prefix;
    return {};
}

} // namespace

void MemoryTable::check() const {
    if (broken_) throw std::system_error(broken_, "ipset");
}

std::error_code MemoryTable::planned(const Key& key) const {
    const auto found = refusals_.find(key);
    return found == refusals_.end() ? std::error_code{} : found->second;
}

void MemoryTable::refuse(const Subject& subject, std::error_code error) {
    refusals_.insert_or_assign({subject.set, subject.entry}, error);
}

void MemoryTable::accept(const Subject& subject) {
    refusals_.erase({subject.set, subject.entry});
}

SetHeaders MemoryTable::headers() {
    check();
    SetHeaders all;
    for (const auto& [name, set] : sets_)
        all.emplace(name, SetHeader{set.spec, static_cast<std::uint32_t>(set.entries.size())});
    for (const auto& name : foreign_)
        all.emplace(name, SetHeader{});
    return all;
}

std::optional<Entries> MemoryTable::entries(const std::string& name) {
    check();
    if (foreign_.contains(name)) throw std::system_error(refusal(ENOTSUP), "ipset " + name);
    const auto found = sets_.find(name);
    if (found == sets_.end()) return {};
    return found->second.entries;
}

Outcome MemoryTable::apply(const TableChanges& changes) {
    check();
    Outcome outcome;
    for (const auto& [name, change] : changes.sets) {
        Outcome told;
        const auto error = !has_valid_length(name) ? refusal(EINVAL)
                           : change.create         ? ensure(name, *change.create)
                                                   : std::error_code{};
        if (error) told.refused.push_back({{name}, error});
        const auto found = sets_.find(name);
        // A set that could not grow still takes entries; one of another kind does not.
        const bool alike = found != sets_.end() && found->second.spec.type == change.spec.type &&
                           found->second.spec.family == change.spec.family;
        if (!error || alike) change_entries(name, change, told);
        if (lost_.erase(name) != 0) outcome.unknown.insert(name);
        else
            outcome.refused.insert(outcome.refused.end(), told.refused.begin(), told.refused.end());
    }
    for (const auto& name : changes.destroy)
        if (const auto error = destroy(name)) outcome.refused.push_back({{name}, error});
    return outcome;
}

std::error_code MemoryTable::ensure(const std::string& name, const SetSpec& wanted) {
    ++writes_;
    if (const auto error = planned({name, {}})) return error;
    const auto found = sets_.find(name);
    if (found == sets_.end() && !foreign_.contains(name)) {
        sets_.emplace(name, Set{wanted, {}});
        return {};
    }
    if (found != sets_.end()) {
        auto& [spec, entries] = found->second;
        if (spec.serves(wanted)) return {};
        if (spec.type == wanted.type && spec.family == wanted.family) {
            spec = wanted;
            return {};
        }
    }
    if (used_.contains(name)) return Error::type_mismatch;
    foreign_.erase(name);
    sets_.insert_or_assign(name, Set{wanted, {}});
    return {};
}

std::error_code MemoryTable::destroy(const std::string& name) {
    ++writes_;
    if (!has_valid_length(name)) return refusal(EINVAL);
    if (const auto error = planned({name, {}})) return error;
    if (used_.contains(name)) return Error::busy;
    foreign_.erase(name);
    sets_.erase(name);
    return {};
}

void MemoryTable::change_entries(const std::string& name, const SetChanges& changes,
                                 Outcome& outcome) {
    if (changes.remove.empty() && changes.add.empty()) return;
    const auto found = sets_.find(name);
    if (found == sets_.end()) {
        outcome.refused.push_back({{name}, refusal(ENOENT)});
        return;
    }
    for (const auto& entry : changes.remove) {
        ++writes_;
        if (const auto error = planned({name, entry}))
            outcome.refused.push_back({{name, entry}, error});
        else found->second.entries.erase(entry);
    }
    for (const auto& entry : changes.add) {
        ++writes_;
        auto error = planned({name, entry});
        if (!error) error = add(found->second, entry);
        if (error) outcome.refused.push_back({{name, entry}, error});
    }
}

std::error_code MemoryTable::add(Set& set, const Entry& entry) {
    if (const auto error = fits(set.spec, entry)) return error;
    if (set.entries.contains(entry)) return {};
    if (set.entries.size() >= set.spec.max_entries) return Error::full;
    set.entries.insert(entry);
    return {};
}

} // namespace ipvsproxy::ipset

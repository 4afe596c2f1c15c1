#include "ipset/kernel_table.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <vector>

#include "ipset/entry_batch.h"
#include "ipset/error.h"

namespace ipvsproxy::ipset {
namespace {

std::error_code errno_code(int number) noexcept {
    return {number, std::generic_category()};
}

bool has_valid_length(std::string_view set) noexcept {
    return !set.empty() && set.size() <= max_name_length;
}

/// A request that failed: refused, or of unknown outcome when it was the answer that got lost.
void note(const std::string& set, const std::error_code& error, Outcome& outcome) {
    if (error == std::errc::no_buffer_space) outcome.unknown.insert(set);
    else outcome.refused.push_back({{set}, error});
}

} // namespace

std::string temporary_name(std::string_view set) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::uint32_t hash = 2166136261; // FNV-1a
    for (const char character : set)
        hash = (hash ^ static_cast<std::uint8_t>(character)) * 16777619;
    std::string name{temporary_prefix};
    for (int shift = 28; shift >= 0; shift -= 4)
        name += digits[hash >> shift & 15];
    return name;
}

std::uint32_t hash_size_for(std::size_t entries) noexcept {
    constexpr std::size_t most = 1 << 24;
    const auto buckets = std::bit_ceil(std::min(entries, most)) / 2;
    return std::max(default_hash_size, static_cast<std::uint32_t>(buckets));
}

KernelTable::KernelTable(netlink::SocketOptions options) : session_{options} {}

SetHeaders KernelTable::headers() {
    SetHeaders all;
    auto& leftovers = leftovers_.emplace();
    for (const auto& [set, header] : session_.headers()) {
        if (set.starts_with(temporary_prefix)) leftovers.insert(set);
        else
            all.emplace(set,
                        SetHeader{header.plain ? header.spec : std::nullopt, header.entry_count});
    }
    return all;
}

std::optional<Entries> KernelTable::entries(const std::string& name) {
    if (!has_valid_length(name)) return {};
    auto contents = session_.contents(name);
    if (!contents) return {};
    return std::move(contents->entries);
}

Outcome KernelTable::apply(const TableChanges& changes) {
    Outcome outcome;
    clean_up();
    std::vector<EntryJob> jobs;
    for (const auto& [set, change] : changes.sets) {
        if (!has_valid_length(set)) {
            note(set, errno_code(EINVAL), outcome);
            continue;
        }
        if (change.create && !ensure(set, change, outcome)) continue;
        if (!change.remove.empty())
            jobs.push_back({set, change.spec, Operation::remove, change.remove});
        if (!change.add.empty()) jobs.push_back({set, change.spec, Operation::add, change.add});
    }
    write_entries(session_.socket(), jobs, outcome);
    for (const auto& set : changes.destroy) {
        const auto error = has_valid_length(set) ? session_.destroy(set) : errno_code(EINVAL);
        if (error) note(set, error, outcome);
    }
    return outcome;
}

/// @return whether there is a set now that may take the entries.
bool KernelTable::ensure(const std::string& set, const SetChanges& changes, Outcome& outcome) {
    const SetSpec& wanted = *changes.create;
    const auto additions = std::max(changes.add.size(), changes.expected);
    const auto error = session_.create(set, wanted, hash_size_for(additions));
    if (!error) return true;
    if (error == std::errc::file_exists) return make_serve(set, wanted, additions, outcome);
    note(set, error, outcome);
    return false;
}

bool KernelTable::make_serve(const std::string& set, const SetSpec& wanted, std::size_t additions,
                             Outcome& outcome) {
    const auto present = session_.header(set);
    const auto spec = present ? present->spec : std::nullopt;
    if (spec && present->plain && spec->serves(wanted)) return true;
    const bool alike = spec && spec->type == wanted.type && spec->family == wanted.family;
    const auto error = alike ? rebuild(set, wanted, additions) : replace(set, wanted, additions);
    if (error) note(set, error, outcome);
    return alike || !error;
}

/// Builds the wanted set beside the present one and swaps them: rules, which hold on to the name,
/// go from the one full set to the other.
std::error_code KernelTable::rebuild(const std::string& set, const SetSpec& wanted,
                                     std::size_t additions) {
    const auto present = session_.contents(set);
    if (!present) return errno_code(ENOENT);
    const auto beside = temporary_name(set);
    if (const auto error = session_.destroy(beside)) return error; // left over by a crash
    const auto hash_size = hash_size_for(present->entries.size() + additions);
    if (const auto error = session_.create(beside, wanted, hash_size)) return error;
    auto error = fill(beside, wanted, present->entries);
    if (!error) error = session_.swap(beside, set);
    // Either the set that was replaced, or the one that could not replace it.
    if (session_.destroy(beside)) leftovers_->insert(beside);
    return error;
}

/// @return the first refusal: half a set is none.
std::error_code KernelTable::fill(const std::string& set, const SetSpec& spec,
                                  const Entries& entries) {
    const std::vector<Entry> list(entries.begin(), entries.end());
    const EntryJob job{set, spec, Operation::add, list};
    Outcome outcome;
    write_entries(session_.socket(), {&job, 1}, outcome);
    if (!outcome.refused.empty()) return outcome.refused.front().error;
    return outcome.unknown.empty() ? std::error_code{} : errno_code(ENOBUFS);
}

/// A set of another type or family cannot be swapped in: the old one has to go first, which the
/// kernel refuses while something names it.
std::error_code KernelTable::replace(const std::string& set, const SetSpec& wanted,
                                     std::size_t additions) {
    const auto error = session_.destroy(set);
    if (error == Error::busy) return Error::type_mismatch;
    if (error) return error;
    return session_.create(set, wanted, hash_size_for(additions));
}

/// What cannot be destroyed yet (another process is listing it) is tried again.
void KernelTable::clean_up() {
    if (!leftovers_) headers(); // whoever reads may use other doors
    std::erase_if(*leftovers_, [&](const std::string& set) { return !session_.destroy(set); });
}

} // namespace ipvsproxy::ipset

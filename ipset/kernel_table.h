// The ipsets of the kernel, over netlink.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "ipset/session.h"
#include "ipset/table.h"

namespace ipvsproxy::ipset {

/// Names of sets that exist only while another is rebuilt begin so.
inline constexpr std::string_view temporary_prefix = "IPVSPROXY-NEW-";
/// The name of the set that is built beside `set`: 22 characters, always the same for it.
std::string temporary_name(std::string_view set);

/// How many buckets to create a set of so many entries with: the kernel's default (as kube-proxy's)
/// for small ones, else half as many as entries, which spares the kernel doubling it on the way.
/// A power of two.
std::uint32_t hash_size_for(std::size_t entries) noexcept;

/// Speaks ipset's netlink protocol in the network namespace of the thread that makes it; the
/// kernel loads the modules. One thread at a time. Sets left over by a rebuild that was cut off are
/// never shown, and destroyed by the first apply(), or by the next one after the headers() that met
/// them.
class KernelTable final : public Table {
public:
    /// @throws std::system_error when the socket cannot be opened.
    explicit KernelTable(netlink::SocketOptions options = {});

    SetHeaders headers() override;
    std::optional<Entries> entries(const std::string& name) override;
    Outcome apply(const TableChanges& changes) override;

    const netlink::Counters& counters() const noexcept { return session_.socket().counters(); }

private:
    bool ensure(const std::string& set, const SetChanges& changes, Outcome& outcome);
    bool make_serve(const std::string& set, const SetSpec& wanted, std::size_t additions,
                    Outcome& outcome);
    std::error_code rebuild(const std::string& set, const SetSpec& wanted, std::size_t additions);
    std::error_code fill(const std::string& set, const SetSpec& spec, const Entries& entries);
    std::error_code replace(const std::string& set, const SetSpec& wanted, std::size_t additions);
    void clean_up();

    Session session_;
    std::optional<std::set<std::string>> leftovers_; ///< nothing: not looked for yet
};

} // namespace ipvsproxy::ipset

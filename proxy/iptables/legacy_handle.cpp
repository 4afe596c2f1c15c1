#include "proxy/iptables/legacy_handle.h"

#include <cerrno>
#include <climits>

#include <libiptc/libiptc.h>
extern "C" { // libip6tc.h does not say so itself
#include <libiptc/libip6tc.h>
}

#include "netlink/handle.h"

namespace ipvsproxy::iptables {

namespace {

/// libip4tc and libip6tc: the same functions under two names and for two kinds of entry.
struct V4 {
    using Entry = ipt_entry;
    static constexpr auto init = iptc_init;
    static constexpr auto free = iptc_free;
    static constexpr auto first_chain = iptc_first_chain;
    static constexpr auto next_chain = iptc_next_chain;
    static constexpr auto first_rule = iptc_first_rule;
    static constexpr auto next_rule = iptc_next_rule;
    static constexpr auto get_target = iptc_get_target;
    static constexpr auto is_chain = iptc_is_chain;
    static constexpr auto create_chain = iptc_create_chain;
    static constexpr auto flush_entries = iptc_flush_entries;
    static constexpr auto delete_chain = iptc_delete_chain;
    static constexpr auto append_entry = iptc_append_entry;
    static constexpr auto insert_entry = iptc_insert_entry;
    static constexpr auto delete_num_entry = iptc_delete_num_entry;
    static constexpr auto commit = iptc_commit;
    static constexpr auto get_policy = iptc_get_policy;
    static constexpr auto set_policy = iptc_set_policy;
    static constexpr auto is_builtin = iptc_builtin;
};

struct V6 {
    using Entry = ip6t_entry;
    static constexpr auto init = ip6tc_init;
    static constexpr auto free = ip6tc_free;
    static constexpr auto first_chain = ip6tc_first_chain;
    static constexpr auto next_chain = ip6tc_next_chain;
    static constexpr auto first_rule = ip6tc_first_rule;
    static constexpr auto next_rule = ip6tc_next_rule;
    static constexpr auto get_target = ip6tc_get_target;
    static constexpr auto is_chain = ip6tc_is_chain;
    static constexpr auto create_chain = ip6tc_create_chain;
    static constexpr auto flush_entries = ip6tc_flush_entries;
    static constexpr auto delete_chain = ip6tc_delete_chain;
    static constexpr auto append_entry = ip6tc_append_entry;
    static constexpr auto insert_entry = ip6tc_insert_entry;
    static constexpr auto delete_num_entry = ip6tc_delete_num_entry;
    static constexpr auto commit = ip6tc_commit;
    static constexpr auto get_policy = ip6tc_get_policy;
    static constexpr auto set_policy = ip6tc_set_policy;
    static constexpr auto is_builtin = ip6tc_builtin;
};

std::error_code outcome(int success) {
    if (success != 0) return {};
    return {errno, std::generic_category()};
}

template <class Api> class OpenTable final : public LegacyHandle {
public:
    explicit OpenTable(xtc_handle* handle) : handle_(handle) {}

    std::vector<std::string> chains() override {
        std::vector<std::string> names;
        for (const char* chain = Api::first_chain(handle_.get()); chain != nullptr;
             chain = Api::next_chain(handle_.get()))
            names.emplace_back(chain);
        return names;
    }
    bool has_chain(const std::string& chain) override {
        return Api::is_chain(chain.c_str(), handle_.get()) != 0;
    }
    void each_rule(const std::string& chain, const Reader& reader) override {
        for (const Entry* rule = Api::first_rule(chain.c_str(), handle_.get()); rule != nullptr;
             rule = Api::next_rule(rule, handle_.get())) {
            const char* const target = Api::get_target(rule, handle_.get());
            const auto* const bytes = reinterpret_cast<const std::byte*>(rule);
            reader({bytes, rule->next_offset}, target == nullptr ? "" : target);
        }
    }
    std::error_code create_chain(const std::string& chain) override {
        return outcome(Api::create_chain(chain.c_str(), handle_.get()));
    }
    std::error_code flush(const std::string& chain) override {
        return outcome(Api::flush_entries(chain.c_str(), handle_.get()));
    }
    std::error_code remove_chain(const std::string& chain) override {
        return outcome(Api::delete_chain(chain.c_str(), handle_.get()));
    }
    std::error_code append(const std::string& chain, std::span<const std::byte> entry) override {
        return outcome(Api::append_entry(chain.c_str(), as_entry(entry), handle_.get()));
    }
    std::error_code insert(const std::string& chain, std::span<const std::byte> entry) override {
        return outcome(Api::insert_entry(chain.c_str(), as_entry(entry), 0, handle_.get()));
    }
    std::error_code remove_rule(const std::string& chain, unsigned position) override {
        return outcome(Api::delete_num_entry(chain.c_str(), position, handle_.get()));
    }
    std::error_code commit() override {
        keep_policy_counters();
        return outcome(Api::commit(handle_.get()));
    }

private:
    using Entry = typename Api::Entry;
    /// libiptc 1.8.9 forgets them at each commit, though it keeps those of the rules it leaves
    /// alone. What passes between reading and committing is still not counted.
    void keep_policy_counters() {
        for (const std::string& chain : chains()) {
            if (Api::is_builtin(chain.c_str(), handle_.get()) == 0) continue;
            xt_counters counters{};
            const char* const policy = Api::get_policy(chain.c_str(), &counters, handle_.get());
            if (policy == nullptr) continue;
            const std::string same = policy;
            Api::set_policy(chain.c_str(), same.c_str(), &counters, handle_.get());
        }
    }
    static const Entry* as_entry(std::span<const std::byte> bytes) {
        return reinterpret_cast<const Entry*>(bytes.data());
    }

    Handle<xtc_handle, Api::free> handle_;
};

template <class Api>
std::unique_ptr<LegacyHandle> open_table(TableName table, std::error_code& error) {
    error.clear();
    if (xtc_handle* const handle = Api::init(std::string(name(table)).c_str()))
        return std::make_unique<OpenTable<Api>>(handle);
    error = {errno, std::generic_category()};
    return nullptr;
}

} // namespace

std::unique_ptr<LegacyHandle> LegacyHandle::open(Family family, TableName table,
                                                 std::error_code& error) {
    return family == Family::v4 ? open_table<V4>(table, error) : open_table<V6>(table, error);
}

} // namespace ipvsproxy::iptables

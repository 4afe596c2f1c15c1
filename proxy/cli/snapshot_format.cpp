#include "proxy/cli/snapshot_format.h"

#include <boost/json.hpp>
#include <charconv>
#include <stdexcept>
#include <yaml-cpp/yaml.h>

#include "proxy/cli/entry_text.h"

namespace ipvsproxy::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view api_version = "ipvsproxy.io/v1";
constexpr std::string_view kind = "NodeState";

json::object device_json(const DeviceState& device) {
    json::array addresses, elsewhere;
    for (const auto& [key, spec] : device.addresses) {
        json::object one{{"address", key.address.text() + '/' + std::to_string(key.prefix_length)}};
        if (key.binding == Binding::route) one["binding"] = "route";
        if (spec.deprecated) one["deprecated"] = true;
        addresses.push_back(std::move(one));
    }
    for (const auto& [interface, address] : device.elsewhere)
        elsewhere.push_back(json::object{{"interface", interface}, {"address", address.text()}});
    return {{"present", device.present},
            {"up", device.up},
            {"kind", device.kind},
            {"addresses", std::move(addresses)},
            {"otherInterfaces", std::move(elsewhere)}};
}

json::object real_server_json(const ipvs::DestinationKey& key, const ipvs::DestinationSpec& spec,
                              const ipvs::ObservedDestinations& all) {
    json::object one{{"address", key.address.text()},
                     {"port", key.port.value},
                     {"forward", static_cast<int>(spec.forward)},
                     {"weight", spec.weight},
                     {"upperThreshold", spec.upper_threshold},
                     {"lowerThreshold", spec.lower_threshold}};
    if (const auto busy = all.busy.find(key); busy != all.busy.end()) {
        one["activeConnections"] = busy->second.active_connections;
        one["inactiveConnections"] = busy->second.inactive_connections;
    }
    return one;
}

json::array servers_json(const plan::NodeSnapshot& state) {
    json::array servers;
    const auto& destinations = state.destinations.specs;
    for (const auto& [key, spec] : state.services) {
        json::array real;
        for (auto at = destinations.lower_bound({key, {}, {}});
             at != destinations.end() && at->first.service == key; ++at)
            real.push_back(real_server_json(at->first, at->second, state.destinations));
        json::object one{{"address", key.address.text()},
                         {"port", key.port.value},
                         {"protocol", upper_name(key.protocol)},
                         {"scheduler", spec.scheduler.text()},
                         {"flags", spec.flags},
                         {"timeoutSeconds", spec.timeout_seconds},
                         {"persistencePrefix", spec.persistence_prefix},
                         {"realServers", std::move(real)}};
        if (!spec.persistence_engine.empty())
            one["persistenceEngine"] = spec.persistence_engine.text();
        servers.push_back(std::move(one));
    }
    return servers;
}

json::array sets_json(const ipset::Sets& sets) {
    json::array all;
    for (const auto& [name, set] : sets) {
        json::array entries;
        for (const auto& entry : set.entries)
            entries.emplace_back(ipset::text(set.spec.type, entry));
        all.push_back(json::object{{"name", name},
                                   {"type", ipset::name(set.spec.type)},
                                   {"family", ipvsproxy::name(set.spec.family)},
                                   {"maxEntries", set.spec.max_entries},
                                   {"entries", std::move(entries)}});
    }
    return all;
}

json::object chains_json(const iptables::Chains& chains) {
    json::object tables;
    for (const auto& [chain, rules] : chains) {
        auto& table = tables[iptables::name(chain.table)];
        if (!table.is_object()) table.emplace_object();
        json::array list;
        for (const auto& rule : rules)
            list.emplace_back(rule);
        table.as_object()[chain.name] = std::move(list);
    }
    return tables;
}

json::array families_json(const PerFamily<bool>& present) {
    json::array all;
    for (const auto family : families)
        if (present[family]) all.emplace_back(ipvsproxy::name(family));
    return all;
}

/// A value together with where it stands, for messages.
class Cursor {
public:
    Cursor(const YAML::Node& node, std::string path) : node_{node}, path_{std::move(path)} {}

    bool there() const { return node_.IsDefined(); }
    Cursor operator[](const char* key) const {
        return {there() && node_.IsMap() ? node_[key] : YAML::Node{YAML::NodeType::Undefined},
                path_.empty() ? key : path_ + '.' + key};
    }
    template <class Visit> void each(const Visit& visit) const {
        if (!node_ || node_.IsNull()) return;
        if (!node_.IsSequence()) fail("is not a list");
        for (std::size_t i = 0; i < node_.size(); ++i)
            visit(Cursor{node_[i], path_ + '[' + std::to_string(i) + ']'});
    }
    template <class Visit> void each_member(const Visit& visit) const {
        if (!node_ || node_.IsNull()) return;
        if (!node_.IsMap()) fail("is not an object");
        for (const auto& member : node_) {
            const auto name = member.first.as<std::string>();
            visit(name, Cursor{member.second, path_ + '.' + name});
        }
    }
    std::string text() const {
        if (!node_ || !node_.IsScalar()) fail("is missing or no text");
        return node_.Scalar();
    }
    std::string text_or(const std::string& other) const {
        return node_ && node_.IsScalar() ? node_.Scalar() : other;
    }
    template <class Number> Number number() const {
        const auto digits = text();
        Number value{};
        const auto* end = digits.data() + digits.size();
        const auto result = std::from_chars(digits.data(), end, value);
        if (result.ec != std::errc{} || result.ptr != end) fail("is no number of its range");
        return value;
    }
    bool flag() const {
        const auto word = node_ ? text() : "false";
        if (word != "true" && word != "false") fail("is neither true nor false");
        return word == "true";
    }
    Family family() const {
        const auto word = text();
        for (const auto one : families)
            if (word == ipvsproxy::name(one)) return one;
        fail("is neither IPv4 nor IPv6");
    }
    template <class T> T require(std::optional<T> value) const {
        if (!value) fail("is not of the form that belongs here");
        return *std::move(value);
    }
    Address address() const { return require(Address::parse(text())); }
    [[noreturn]] void fail(const std::string& what) const {
        throw std::runtime_error{(path_.empty() ? "the document" : path_) + ' ' + what};
    }

private:
    YAML::Node node_;
    std::string path_;
};

DeviceState read_device(const Cursor& from) {
    DeviceState device;
    device.present = from["present"].flag();
    device.up = from["up"].flag();
    device.kind = from["kind"].text_or("");
    from["addresses"].each([&](const Cursor& one) {
        const auto text = one["address"].text();
        const auto slash = text.find('/');
        const auto prefix = one["address"].require(Prefix::parse(text));
        const auto address = one["address"].require(Address::parse(text.substr(0, slash)));
        const auto binding = one["binding"].text_or("address");
        if (binding != "address" && binding != "route")
            one["binding"].fail("is neither address nor route");
        const DeviceAddress key{address, prefix.length(),
                                binding == "route" ? Binding::route : Binding::address};
        device.addresses[key] = {.deprecated = one["deprecated"].flag()};
    });
    from["otherInterfaces"].each([&](const Cursor& one) {
        device.elsewhere.push_back({one["interface"].text(), one["address"].address()});
    });
    return device;
}

void read_real_server(const Cursor& from, const ipvs::ServiceKey& service,
                      plan::NodeSnapshot& state) {
    const ipvs::DestinationKey key{service, from["address"].address(),
                                   Port{from["port"].number<std::uint16_t>()}};
    const auto forward = from["forward"].number<std::uint8_t>();
    if (forward > static_cast<std::uint8_t>(ipvs::Forward::bypass))
        from["forward"].fail("is no forwarding method (0 to 4)");
    state.destinations.specs[key] = {
        .forward = static_cast<ipvs::Forward>(forward),
        .weight = from["weight"].number<std::int32_t>(),
        .upper_threshold = from["upperThreshold"].number<std::uint32_t>(),
        .lower_threshold = from["lowerThreshold"].number<std::uint32_t>()};
    if (from["activeConnections"].text_or("").empty()) return;
    state.destinations.busy[key] = {
        .active_connections = from["activeConnections"].number<std::uint32_t>(),
        .inactive_connections = from["inactiveConnections"].number<std::uint32_t>()};
}

void read_server(const Cursor& from, plan::NodeSnapshot& state) {
    const ipvs::ServiceKey key{from["address"].address(),
                               Port{from["port"].number<std::uint16_t>()},
                               from["protocol"].require(parse_protocol(from["protocol"].text()))};
    state.services[key] = {.scheduler = from["scheduler"].text(),
                           .flags = from["flags"].number<std::uint32_t>(),
                           .timeout_seconds = from["timeoutSeconds"].number<std::uint32_t>(),
                           .persistence_prefix = from["persistencePrefix"].number<std::uint8_t>(),
                           .persistence_engine = from["persistenceEngine"].text_or("")};
    from["realServers"].each([&](const Cursor& one) { read_real_server(one, key, state); });
}

void read_set(const Cursor& from, plan::NodeSnapshot& state) {
    ipset::Set set;
    set.spec.type = from["type"].require(ipset::parse_type(from["type"].text()));
    set.spec.family = from["family"].family();
    set.spec.max_entries = from["maxEntries"].number<std::uint32_t>();
    from["entries"].each([&](const Cursor& one) {
        set.entries.insert(one.require(parse_entry(set.spec.type, one.text())));
    });
    state.sets.emplace(from["name"].text(), std::move(set));
}

iptables::Chains read_chains(const Cursor& from) {
    iptables::Chains chains;
    from.each_member([&](const std::string& table_name, const Cursor& table) {
        std::optional<iptables::TableName> found;
        for (const auto known :
             {iptables::TableName::nat, iptables::TableName::filter, iptables::TableName::mangle})
            if (iptables::name(known) == table_name) found = known;
        if (!found) table.fail("is no table that is looked at");
        table.each_member([&](const std::string& chain, const Cursor& rules) {
            auto& list = chains[{*found, chain}];
            rules.each([&](const Cursor& rule) { list.push_back(rule.text()); });
        });
    });
    return chains;
}

// NOLINTBEGIN(misc-no-recursion): as deep as a snapshot's JSON is nested
void emit(YAML::Emitter& out, const json::value& value) {
    switch (value.kind()) {
    case json::kind::object:
        out << YAML::BeginMap;
        for (const auto& [key, member] : value.get_object()) {
            out << YAML::Key << std::string{key} << YAML::Value;
            emit(out, member);
        }
        out << YAML::EndMap;
        break;
    case json::kind::array:
        out << YAML::BeginSeq;
        for (const auto& member : value.get_array())
            emit(out, member);
        out << YAML::EndSeq;
        break;
    case json::kind::string:
        out << std::string{value.get_string()};
        break;
    default:
        out << json::serialize(value); // numbers, true, false, null read the same in YAML
    }
}

void indent(std::string& out, const json::value& value, const std::string& margin) {
    const auto inner = margin + "  ";
    const auto list = [&](const auto& members, char open, char close, const auto& print) {
        out += open;
        const char* separator = "\n";
        for (const auto& member : members) {
            out += separator + inner;
            print(member);
            separator = ",\n";
        }
        out += members.empty() ? std::string{close} : '\n' + margin + close;
    };
    if (value.is_object())
        list(value.get_object(), '{', '}', [&](const json::key_value_pair& member) {
            out += json::serialize(member.key()) + ": ";
            indent(out, member.value(), inner);
        });
    else if (value.is_array())
        list(value.get_array(), '[', ']',
             [&](const json::value& member) { indent(out, member, inner); });
    else out += json::serialize(value);
}
// NOLINTEND(misc-no-recursion)

} // namespace

json::value to_json(const plan::NodeSnapshot& state) {
    json::array foreign;
    for (const auto& name : state.foreign_sets)
        foreign.emplace_back(name);
    json::object rules;
    for (const auto family : families)
        rules[ipvsproxy::name(family)] = chains_json(state.chains[family]);
    return json::object{{"apiVersion", api_version},
                        {"kind", kind},
                        {"families", families_json(state.families)},
                        {"device", device_json(state.device)},
                        {"virtualServers", servers_json(state)},
                        {"ipsets", sets_json(state.sets)},
                        {"foreignSets", std::move(foreign)},
                        {"iptables", std::move(rules)}};
}

plan::NodeSnapshot parse_snapshot(std::string_view text) {
    YAML::Node document;
    try {
        document = YAML::Load(std::string{text});
    } catch (const YAML::Exception& error) {
        throw std::runtime_error{"line " + std::to_string(error.mark.line + 1) + ": " + error.msg};
    }
    const Cursor root{document, ""};
    if (root["kind"].text_or("") != kind || root["apiVersion"].text_or("") != api_version)
        root.fail("is no node state (kind: NodeState, apiVersion: " + std::string{api_version} +
                  ')');
    plan::NodeSnapshot state;
    if (root["families"].there()) state.families = {false, false};
    root["families"].each([&](const Cursor& one) { state.families[one.family()] = true; });
    state.device = read_device(root["device"]);
    root["virtualServers"].each([&](const Cursor& one) { read_server(one, state); });
    root["ipsets"].each([&](const Cursor& one) { read_set(one, state); });
    root["foreignSets"].each([&](const Cursor& one) { state.foreign_sets.insert(one.text()); });
    for (const auto family : families)
        state.chains[family] =
            read_chains(root["iptables"][family == Family::v4 ? "IPv4" : "IPv6"]);
    return state;
}

json::value to_json(const std::vector<plan::Line>& lines) {
    json::array all;
    for (const auto& line : lines)
        all.push_back(json::object{{"sign", std::string(1, static_cast<char>(line.sign))},
                                   {"table", line.table},
                                   {"command", line.command},
                                   {"reason", line.reason},
                                   {"service", line.service}});
    return all;
}

std::string json_text(const json::value& value) {
    std::string out;
    indent(out, value, "");
    return out + '\n';
}

std::string yaml_text(const json::value& value) {
    YAML::Emitter out;
    emit(out, value);
    return std::string{out.c_str()} + '\n';
}

} // namespace ipvsproxy::cli

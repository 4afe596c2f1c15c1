#include "ipvs/codec.h"

#include <catch2/catch.hpp>
#include <linux/ip_vs.h>
#include <netinet/in.h>

#include <array>
#include <random>

#include "ipvs/socket_options.h"
#include "tests/ipvs/values.h"

namespace ipvsproxy::ipvs {
namespace {

using netlink::Buffer;

// Little-endian machines only: netlink's numbers are in host order, ports and addresses are not.
const ServiceKey dns = service("10.96.0.10", 53, Protocol::udp);
const ServiceKey web6 = service("2001:db8::1", 443);

Buffer written(const Operation& operation) {
    netlink::Messages messages;
    put_operation(messages, 0x1c, operation);
    const auto bytes = messages.bytes();
    return {bytes.begin(), bytes.end()};
}

// One attribute a line.
// clang-format off
const Buffer new_service{
    92, 0, 0, 0,    0x1c, 0,    1,   0,  0,    0,    0,    0,    0, 0, 0, 0, // nlmsghdr
    1,  1, 0, 0,                                                             // genlmsghdr
    72, 0, 1, 0x80,                                                          // service, nested
    6,  0, 1, 0,    2,    0,    0,   0,                                      // AF_INET
    6,  0, 2, 0,    17,   0,    0,   0,                                      // UDP
    8,  0, 3, 0,    10,   96,   0,   10,                                     // address
    6,  0, 4, 0,    0,    53,   0,   0,                                      // port
    7,  0, 6, 0,    'r',  'r',  0,   0,                                      // scheduler
    12, 0, 7, 0,    1,    0,    0,   0,  0xff, 0xff, 0xff, 0xff,             // flags, mask
    8,  0, 8, 0,    0x30, 0x2a, 0,   0,                                      // timeout 10800
    8,  0, 9, 0,    255,  255,  255, 0,                                      // netmask
};

const Buffer del_destination{
    108, 0, 0,  0,    0x1c, 0,    1,    0,    0,    0,    0, 0, 0, 0, 0, 0, // nlmsghdr
    7,   1, 0,  0,                                                          // genlmsghdr
    48,  0, 1,  0x80,                                                       // service, nested
    6,   0, 1,  0,    10,   0,    0,    0,                                  // AF_INET6
    6,   0, 2,  0,    6,    0,    0,    0,                                  // TCP
    20,  0, 3,  0,    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // address
    6,   0, 4,  0,    1,    0xbb, 0,    0,                                  // port 443
    40,  0, 2,  0x80,                                                       // destination, nested
    20,  0, 1,  0,    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, // address
    6,   0, 2,  0,    0x20, 0xfb, 0,    0,                                  // port 8443
    6,   0, 11, 0,    10,   0,    0,    0,                                  // its family
};

/// As the kernel answers: 16 bytes of IPv4 address, IP_VS_SVC_F_HASHED, statistics (left out),
/// and attributes of a later kernel.
const Buffer service_answer{
    1,  1, 0,  0,                     // genlmsghdr
    92, 0, 1,  0,                     // not marked as nested
    6,  0, 1,  0, 2,    0,    0,   0, // AF_INET
    6,  0, 2,  0, 17,   0,    0,   0, // UDP
    20, 0, 3,  0, 10,   96,   0,   10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // address
    6,  0, 4,  0, 0,    53,   0,   0, // port
    7,  0, 6,  0, 'r',  'r',  0,   0, // scheduler
    12, 0, 7,  0, 3,    0,    0,   0,  0xff, 0xff, 0xff, 0xff, // persistent and hashed, mask
    8,  0, 8,  0, 0x30, 0x2a, 0,   0, // timeout 10800
    8,  0, 9,  0, 255,  255,  255, 0, // netmask
    8,  0, 99, 0, 1,    2,    3,   4, // unknown
};
constexpr std::size_t at_flags = 8 + 8 + 8 + 20 + 8 + 8 + 4;

const Buffer destination_answer{
    8,  1, 0,  0, // genlmsghdr
    96, 0, 2,  0, // destination
    20, 0, 1,  0, 10, 244, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // address
    6,  0, 2,  0, 0x1f, 0x90, 0, 0, // port 8080
    8,  0, 3,  0, 3,  0,   0, 0, // direct routing
    8,  0, 4,  0, 5,  0,   0, 0, // weight
    8,  0, 5,  0, 90, 0,   0, 0, // upper threshold
    8,  0, 6,  0, 30, 0,   0, 0, // lower threshold
    8,  0, 7,  0, 11, 0,   0, 0, // active
    8,  0, 8,  0, 12, 0,   0, 0, // inactive
    8,  0, 9,  0, 13, 0,   0, 0, // persistent
    6,  0, 11, 0, 2,  0,   0, 0, // AF_INET
};

// clang-format on

const ServiceSpec dns_spec{.scheduler = "rr",
                           .flags = flag_persistent,
                           .timeout_seconds = 10800,
                           .persistence_prefix = 24};

TEST_CASE("a virtual server is written as linux/ip_vs.h lays it out", "[ipvs]") {
    CHECK(written(ServiceOperation{Command::new_service, &dns, &dns_spec, "rr"}) == new_service);
}

TEST_CASE("a removal names the object and nothing else", "[ipvs]") {
    const DestinationKey key = destination(web6, "2001:db8::2", 8443);
    CHECK(written(DestinationOperation{Command::del_destination, &key, nullptr}) ==
          del_destination);
}

/// What is read of one answer. @return false when it cannot be read
bool read_service(netlink::Bytes answer, Services& out) {
    GatheredServices all;
    const bool readable = decode_service(answer, all);
    out = in_order(std::move(all));
    return readable;
}

TEST_CASE("P-167 a virtual server is read without the kernel's own flag", "[ipvs]") {
    Services services;
    REQUIRE(read_service(service_answer, services));
    CHECK(services == Services{{dns, dns_spec}});
}

TEST_CASE("P-167 a virtual server that is in no table cannot be read", "[ipvs]") {
    Buffer answer = service_answer;
    REQUIRE(answer.at(at_flags) == 3);
    answer.at(at_flags) = 1;
    Services services;
    CHECK_FALSE(read_service(answer, services));
    CHECK(services.empty());
}

TEST_CASE("a virtual server known by a firewall mark is passed over", "[ipvs]") {
    const Buffer answer{1, 1, 0, 0, 20, 0, 1, 0, 6, 0, 1, 0, 2, 0, 0, 0, 8, 0, 5, 0, 7, 0, 0, 0};
    Services services;
    CHECK(read_service(answer, services));
    CHECK(services.empty());
}

TEST_CASE("a real server is read with its counts", "[ipvs]") {
    ObservedDestinations observed;
    REQUIRE(decode_destination(destination_answer, dns, observed));
    const DestinationKey key = destination(dns, "10.244.2.7");
    CHECK(observed.specs == Destinations{{key,
                                          {.forward = Forward::route,
                                           .weight = 5,
                                           .upper_threshold = 90,
                                           .lower_threshold = 30}}});
    CHECK(observed.busy == std::map<DestinationKey, DestinationStatus>{{key, {11, 12, 13}}});
}

TEST_CASE("an answer that is cut off anywhere cannot be read", "[ipvs]") {
    for (std::size_t size = 0; size < service_answer.size(); ++size) {
        Services services;
        CHECK_FALSE(read_service(netlink::Bytes{service_answer}.first(size), services));
        CHECK(services.empty());
    }
    for (std::size_t size = 0; size < destination_answer.size(); ++size) {
        ObservedDestinations observed;
        CHECK_FALSE(
            decode_destination(netlink::Bytes{destination_answer}.first(size), dns, observed));
        CHECK(observed.specs.empty());
    }
}

/// The first nested attribute, without one of those in it.
Buffer without(Buffer answer, std::uint16_t type) {
    std::size_t at = 8;
    while (at < answer.size() && answer.at(at + 2) != type)
        at += netlink::aligned(answer.at(at));
    const std::size_t length = netlink::aligned(answer.at(at));
    answer.at(4) = static_cast<std::uint8_t>(answer.at(4) - length);
    const auto start = answer.begin() + static_cast<std::ptrdiff_t>(at);
    answer.erase(start, start + static_cast<std::ptrdiff_t>(length));
    return answer;
}

TEST_CASE("an answer without an attribute that tells what it is cannot be read", "[ipvs]") {
    for (const int type : {1, 2, 3, 4, 6, 7, 8, 9}) {
        Services services;
        CHECK_FALSE(
            read_service(without(service_answer, static_cast<std::uint16_t>(type)), services));
    }
    for (const int type : {1, 2, 3, 4, 5, 6}) {
        ObservedDestinations observed;
        CHECK_FALSE(decode_destination(
            without(destination_answer, static_cast<std::uint16_t>(type)), dns, observed));
    }
    ObservedDestinations observed;
    CHECK(
        decode_destination(without(destination_answer, IPVS_DEST_ATTR_ADDR_FAMILY), dns, observed));
    CHECK(observed.specs.size() == 1);
}

TEST_CASE("operations put one after the other are those put one by one", "[ipvs]") {
    std::vector<ServiceKey> services{dns, web6};
    for (auto key : {dns, web6}) {
        key.port.value = 444;
        key.protocol = Protocol::sctp;
        services.push_back(key);
        key.address = *Address::parse(key.address.family() == Family::v4 ? "10.96.9.9" : "2001::9");
        services.push_back(key);
    }
    const std::array specs{DestinationSpec{}, DestinationSpec{.weight = 0}};
    std::vector<DestinationKey> keys;
    for (const auto& service_key : services)
        for (const auto* address : {"10.244.0.1", "10.244.0.2", "2001:db8::2", "2001:db8::3"})
            for (const std::uint16_t port : {std::uint16_t{53}, std::uint16_t{8443}})
                keys.push_back(destination(service_key, address, port));
    ServiceSpec persistent = plain(dns);
    persistent.flags = flag_persistent;
    persistent.timeout_seconds = 60;
    const std::array service_specs{plain(dns), persistent};
    std::mt19937 random{7}; // NOLINT(*-msc51-cpp): the same operations each time
    const auto below = [&](std::size_t count) { return random() % count; };
    Operations operations;
    for (int i = 0; i < 5000; ++i) {
        if (i / 50 % 2 == 0 ? below(20) == 0 : below(20) != 0) {
            const auto* const key = &services.at(below(services.size()));
            const auto* const spec = &service_specs.at(below(8) == 0 ? 1 : 0);
            if (below(8) == 0)
                operations.emplace_back(ServiceOperation{Command::del_service, key, nullptr, {}});
            else
                operations.emplace_back(
                    ServiceOperation{below(8) == 0 ? Command::set_service : Command::new_service,
                                     key, spec, below(8) == 0 ? "mh" : "rr"});
            continue;
        }
        const auto* const key = &keys[below(3) == 0 ? below(keys.size()) : below(4)];
        if (below(8) == 0)
            operations.emplace_back(DestinationOperation{Command::del_destination, key, nullptr});
        else
            operations.emplace_back(DestinationOperation{below(8) == 0 ? Command::set_destination
                                                                       : Command::new_destination,
                                                         key, &specs.at(below(8) == 0 ? 1 : 0)});
    }
    netlink::Messages together;
    OperationEncoder encoder{together, 0x1c};
    for (std::size_t i = 0; i < operations.size(); ++i) {
        if (i % 700 == 699) together.clear(); // it was sent
        encoder.put(operations[i]);
        const auto last = together.bytes(together.count() - 1, together.count());
        CAPTURE(i);
        REQUIRE(Buffer(last.begin(), last.end()) == written(operations[i]));
    }
}

TEST_CASE("timeouts are whole seconds both ways", "[ipvs]") {
    using std::chrono::seconds;
    const Timeouts timeouts{.tcp = seconds{900}, .tcp_fin = seconds{0}, .udp = seconds{300}};
    netlink::Messages messages;
    put_timeouts(messages, 0x1c, timeouts);
    const Buffer golden{44, 0, 0, 0, 0x1c, 0, 1, 0, 0,    0,    0, 0, 0,    0,    0, 0, //
                        12, 1, 0, 0, 8,    0, 4, 0, 0x84, 0x03, 0, 0,                   //
                        8,  0, 5, 0, 0,    0, 0, 0, 8,    0,    6, 0, 0x2c, 0x01, 0, 0};
    const auto bytes = messages.bytes();
    CHECK(Buffer(bytes.begin(), bytes.end()) == golden);
    CHECK(decode_timeouts(bytes.subspan(16)) == timeouts);
    CHECK_FALSE(decode_timeouts(bytes.subspan(16).first(22)));
    CHECK_FALSE(decode_timeouts({}));
}

TEST_CASE("entries of the older interface are read up to the first unused one", "[ipvs]") {
    std::array<ip_vs_dest_entry, 3> entries{};
    entries[0].addr = htonl(0x0af40001);
    entries[0].port = htons(80);
    entries[0].conn_flags = IP_VS_CONN_F_INACTIVE | IP_VS_CONN_F_MASQ;
    entries[0].weight = 1;
    entries[1].addr = htonl(0x0af40002);
    entries[1].port = htons(81);
    entries[1].conn_flags = IP_VS_CONN_F_INACTIVE | IP_VS_CONN_F_NOOUTPUT | IP_VS_CONN_F_DROUTE;
    entries[1].u_threshold = 4;
    entries[1].l_threshold = 2;
    entries[1].activeconns = 9;
    const netlink::Bytes bytes = netlink::bytes_of(entries);
    ObservedDestinations observed;
    CHECK(decode_destination_entries(bytes, dns, {}, observed) == 2);
    const DestinationKey second = destination(dns, "10.244.0.2", 81);
    CHECK(observed.specs == Destinations{{destination(dns, "10.244.0.1", 80), {}},
                                         {second,
                                          {.forward = Forward::route,
                                           .weight = 0,
                                           .upper_threshold = 4,
                                           .lower_threshold = 2}}});
    CHECK(observed.busy.size() == 1);
    CHECK(observed.busy.at(second).active_connections == 9);
    CHECK(decode_destination_entries(bytes.first(sizeof(ip_vs_dest_entry) * 2 - 1), dns, {},
                                     observed) == 1);
}

TEST_CASE("real servers of the older interface, in whatever order it has them, are read in theirs",
          "[ipvs]") {
    std::array<ip_vs_dest_entry, 9> entries{};
    ObservedDestinations expected;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto mixed = static_cast<std::uint32_t>(i * 5 % entries.size());
        entries.at(i).addr = htonl(0x0af40000 + mixed / 2);
        entries.at(i).port = htons(static_cast<std::uint16_t>(80 + mixed % 2));
        entries.at(i).conn_flags = IP_VS_CONN_F_INACTIVE;
        const auto port = static_cast<std::uint16_t>(80 + mixed % 2);
        const auto address = "10.244.0." + std::to_string(mixed / 2);
        expected.specs.try_emplace(destination(dns, address, port), DestinationSpec{.weight = 0});
    }
    ObservedDestinations observed;
    CHECK(decode_destination_entries(netlink::bytes_of(entries), dns, {}, observed) == 9);
    CHECK(observed.specs == expected.specs);

    const std::vector asked{destination(service("10.96.0.1"), "10.244.0.1", 80),
                            destination(dns, "10.244.0.1", 81), destination(dns, "10.244.0.2", 80),
                            destination(dns, "10.244.0.9", 80),
                            destination(dns, "2001:db8::1", 80)};
    ObservedDestinations some;
    CHECK(decode_destination_entries(netlink::bytes_of(entries), dns, asked, some) == 9);
    CHECK(some.specs == Destinations{{asked.at(1), {.weight = 0}}, {asked.at(2), {.weight = 0}}});
}

TEST_CASE("P-168 keys print as ipvsadm's users know them", "[ipvs]") {
    CHECK(service("10.96.0.10").text() == "10.96.0.10:80/TCP");
    CHECK(service("2001:db8::1", 80, Protocol::udp).text() == "[2001:db8::1]:80/UDP");
    CHECK(destination(service("10.96.0.10"), "10.0.0.1", 80).text() ==
          "10.96.0.10:80/TCP -> 10.0.0.1:80");
}

TEST_CASE("a name that is too long for the kernel stays too long", "[ipvs]") {
    CHECK(Name{}.empty());
    CHECK(Name{"wlc"}.view() == "wlc");
    CHECK(Name{"wlc"} != Name{"wl"});
    CHECK(Name{"a-name-of-15-chr"}.text() == "a-name-of-15-chr");
    CHECK(Name{std::string(40, 'x')}.view() == std::string(IP_VS_SCHEDNAME_MAXLEN, 'x'));
}

TEST_CASE("P-169 every member counts in a comparison, connections do not", "[ipvs]") {
    CHECK(service("10.0.0.1") != service("10.0.0.2"));
    CHECK(service("10.0.0.1", 80) != service("10.0.0.1", 81));
    CHECK(service("10.0.0.1", 80, Protocol::tcp) != service("10.0.0.1", 80, Protocol::udp));
    const auto differs = [](auto change) {
        ServiceSpec spec = dns_spec;
        change(spec);
        return spec != dns_spec;
    };
    CHECK(differs([](ServiceSpec& spec) { spec.scheduler = "wlc"; }));
    CHECK(differs([](ServiceSpec& spec) { spec.flags = 0; }));
    CHECK(differs([](ServiceSpec& spec) { spec.timeout_seconds = 1; }));
    CHECK(differs([](ServiceSpec& spec) { spec.persistence_prefix = 32; }));
    CHECK(differs([](ServiceSpec& spec) { spec.persistence_engine = "sip"; }));
}

} // namespace
} // namespace ipvsproxy::ipvs

#include "ipset/types.h"

#include <linux/netfilter/ipset/ip_set.h>

#include <catch2/catch.hpp>

#include <cerrno>

#include "ipset/error.h"
#include "ipset/kernel_table.h"
#include "tests/ipset/entries.h"

namespace ipvsproxy::ipset::test {
namespace {

TEST_CASE("P-192 entries are printed like kube-proxy's", "[ipset]") {
    const auto address = *Address::parse("192.0.2.1");
    const Entry entry{.address = address, .protocol = Protocol::udp, .port = {53}};
    CHECK(text(Type::hash_ip_port, entry) == "192.0.2.1,udp:53");
    Entry second{.address = address, .port = {80}, .second = Prefix{*Address::parse("10.0.0.1")}};
    CHECK(text(Type::hash_ip_port_ip, second) == "192.0.2.1,tcp:80,10.0.0.1");
    second.second = *Prefix::parse("10.0.1.0/24");
    CHECK(text(Type::hash_ip_port_net, second) == "192.0.2.1,tcp:80,10.0.1.0/24");
    CHECK(text(Type::bitmap_port, {.port = {8080}}) == "8080");
    CHECK(text(Type::hash_ip, entry) == "192.0.2.1");
}

TEST_CASE("P-194 what is no address, network or protocol becomes no entry", "[ipset]") {
    for (const char* text : {"", "192.0.2", "192.0.2.1.5", "nonsense", "192.0.2.256"})
        CHECK(Address::parse(text) == std::nullopt);
    for (const char* text : {"", "nonsense", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129"})
        CHECK(Prefix::parse(text) == std::nullopt);
    for (const char* text : {"ICMP", "FOO", "tcp", ""})
        CHECK(parse_protocol(text) == std::nullopt);
    CHECK(Prefix::parse("10.0.0.0/0")->length() == 0);
    CHECK(Prefix::parse("10.0.0.1/32")->length() == 32);
    CHECK(parse_protocol("SCTP") == Protocol::sctp);
    CHECK(text(Type::hash_ip_port, {.address = *Address::parse("192.0.2.1")}) == "192.0.2.1,tcp:0");
}

TEST_CASE("a set serves where one like it, not larger, is wanted", "[ipset]") {
    const SetSpec spec{.max_entries = 100};
    CHECK(spec.serves(spec));
    CHECK(spec.serves({.max_entries = 99}));
    CHECK_FALSE(spec.serves({.max_entries = 101}));
    CHECK_FALSE(spec.serves({.family = Family::v6, .max_entries = 100}));
    CHECK_FALSE(spec.serves({.type = Type::hash_ip, .max_entries = 100}));
}

TEST_CASE("type names are the kernel's", "[ipset]") {
    for (const auto type : all_types)
        CHECK(parse_type(name(type)) == type);
    CHECK(parse_type("hash:mac") == std::nullopt);
}

TEST_CASE("ipset's own errors are told in words, with their number", "[ipset]") {
    const auto full = error_from(4352);
    CHECK(full == Error::full);
    CHECK(full.message() ==
          "the set is full (bitmap:port: the port is outside its range) (ipset error 4352)");
    CHECK(std::string{full.category().name()} == "ipset");
    CHECK(error_from(IPSET_ERR_BUSY) == std::errc::device_or_resource_busy);
    CHECK(error_from(ENOENT) == std::errc::no_such_file_or_directory);
    CHECK_FALSE(error_from(0));
    CHECK(error_from(5000).message() == "refused (ipset error 5000)");
    for (int number = IPSET_ERR_PROTOCOL; number <= IPSET_ERR_SKBINFO; ++number)
        CHECK_FALSE(error_from(number).message().starts_with("refused"));
    for (int number = 4352; number <= 4357; ++number)
        CHECK_FALSE(error_from(number).message().starts_with("refused"));
}

TEST_CASE("small sets have the default number of buckets, large ones are presized", "[ipset]") {
    CHECK(hash_size_for(0) == 1024);
    CHECK(hash_size_for(2048) == 1024);
    CHECK(hash_size_for(2049) == 2048);
    CHECK(hash_size_for(50000) == 32768);
    CHECK(hash_size_for(65536) == 32768);
    CHECK(hash_size_for(~std::size_t{0}) == 1 << 23);
}

TEST_CASE("the set built beside another has a name of its own that fits", "[ipset]") {
    const auto name = temporary_name("KUBE-6-LOAD-BALANCER-SOURCE-CID");
    CHECK(name.size() == 22);
    CHECK(name.starts_with(temporary_prefix));
    CHECK(name == temporary_name("KUBE-6-LOAD-BALANCER-SOURCE-CID"));
    CHECK(name != temporary_name("KUBE-6-LOAD-BALANCER-SOURCE-IP"));
}

TEST_CASE("of the kernel's revisions the newest that libipset knows is taken", "[ipset]") {
    CHECK(choose_revision(Type::hash_ip_port, Family::v4, {0, 1}) == 1);
    CHECK(choose_revision(Type::bitmap_port, Family::v4, {0, 255}) >= 3);
    CHECK(choose_revision(Type::hash_ip_port, Family::v6, {0, 255}) < 255);
    CHECK(choose_revision(Type::hash_ip_port, Family::v4, {250, 255}) == std::nullopt);
    for (const auto& spec : all_specs())
        CHECK(choose_revision(spec.type, spec.family, {0, 255}).has_value());
}

} // namespace
} // namespace ipvsproxy::ipset::test

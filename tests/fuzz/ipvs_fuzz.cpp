// Any bytes at all to the decoders of IPVS. What they accept must survive being written and read.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "ipvs/codec.h"
#include "ipvs/socket_options.h"

using namespace ipvsproxy;
using namespace ipvsproxy::ipvs;

namespace {

constexpr std::uint32_t flag_hashed = 0x2; // IP_VS_SVC_F_HASHED: set in all that the kernel shows

void expect(bool holds) {
    if (!holds) std::abort();
}

/// Without the nlmsghdr, as the decoders want it.
netlink::Bytes payload(const netlink::Messages& messages) {
    return messages.bytes().subspan(sizeof(nlmsghdr));
}

bool read_service(netlink::Bytes input, Services& out) {
    GatheredServices all;
    const bool readable = decode_service(input, all);
    out = in_order(std::move(all));
    return readable;
}

void service(netlink::Bytes input) {
    Services read;
    if (!read_service(input, read)) {
        expect(read.empty());
        return;
    }
    expect(read.size() <= 1);
    for (const auto& [key, spec] : read) {
        expect((spec.flags & flag_hashed) == 0);
        ServiceSpec shown = spec;
        shown.flags |= flag_hashed;
        netlink::Messages messages;
        put_operation(messages, 0x10,
                      ServiceOperation{Command::new_service, &key, &shown, shown.scheduler.view()});
        Services again;
        expect(read_service(payload(messages), again) && again == read);
    }
}

void destination(netlink::Bytes input) {
    const ServiceKey of{*Address::parse("2001:db8::1"), Port{80}, Protocol::tcp};
    ObservedDestinations read;
    if (!decode_destination(input, of, read)) {
        expect(read.specs.empty() && read.busy.empty());
        return;
    }
    expect(read.specs.size() <= 1 && read.busy.size() <= read.specs.size());
    for (const auto& [key, spec] : read.specs) {
        netlink::Messages messages;
        put_operation(messages, 0x10, DestinationOperation{Command::new_destination, &key, &spec});
        ObservedDestinations again;
        expect(decode_destination(payload(messages), of, again) && again.specs == read.specs);
    }
}

void timeouts(netlink::Bytes input) {
    const auto read = decode_timeouts(input);
    if (!read) return;
    netlink::Messages messages;
    put_timeouts(messages, 0x10, *read);
    expect(decode_timeouts(payload(messages)) == read);
}

void tables(netlink::Bytes input) {
    const ServiceKey of{*Address::parse("10.96.0.1"), Port{80}, Protocol::tcp};
    ObservedDestinations destinations;
    const auto all = decode_destination_entries(input, of, {}, destinations);
    expect(all >= destinations.specs.size());
    std::vector<DestinationKey> asked;
    for (const auto& [key, spec] : destinations.specs)
        if (asked.empty()) asked.push_back(key);
    ObservedDestinations some;
    expect(decode_destination_entries(input, of, asked, some) == all);
    expect(some.specs.size() == asked.size());
    const auto counts = decode_service_entries(input);
    expect(std::ranges::is_sorted(counts, {}, &Count::service));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const netlink::Bytes input{data, size};
    if (input.empty()) return 0;
    const netlink::Bytes rest = input.subspan(1);
    switch (input.front() % 4) {
    case 0:
        service(rest);
        break;
    case 1:
        destination(rest);
        break;
    case 2:
        timeouts(rest);
        break;
    case 3:
        tables(rest);
        break;
    }
    return 0;
}

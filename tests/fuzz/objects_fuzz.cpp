// Feeds the decoders of API objects any bytes: as JSON whole, cut in two and sieved, as YAML, and
// as protobuf whole and cut in two.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "proxy/api/decode.h"
#include "proxy/api/decode_sieve.h"
#include "proxy/model/store.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;

namespace {

void require(bool truth) {
    if (!truth) std::abort();
}

/// What each decoded object promises, whatever it was read from.
void check(const Decoded& one) {
    require(one.warnings.size() <= 33);
    require(!one.label().empty());
    if (one.object.has_error()) return require(!one.object.error().text().empty());
    if (const auto* service = std::get_if<model::Service>(&*one.object)) {
        require(service->name == one.name && !one.name.name.empty() && !one.name.space.empty());
        require(!service->cluster_ip.v4 || service->cluster_ip.v4->family() == Family::v4);
        require(!service->cluster_ip.v6 || service->cluster_ip.v6->family() == Family::v6);
        require(std::ranges::none_of(service->ports, [](const auto& port) {
            return port.port == Port{} || port.node_port == Port{};
        }));
    }
    if (const auto* slice = std::get_if<model::EndpointSlice>(&*one.object)) {
        require(!slice->service.name.empty() && slice->service.space == slice->name.space);
        require(std::ranges::all_of(slice->endpoints, [&](const model::Endpoint& endpoint) {
            return endpoint.address.family() == slice->family &&
                   std::ranges::is_sorted(endpoint.zone_hints);
        }));
    }
}

std::vector<Decoded> read_json(std::string_view first, std::string_view second, bool& whole,
                               Origin origin = Origin::server) {
    std::vector<Decoded> objects;
    JsonDecoder decoder{[&](Decoded&& one) { objects.push_back(std::move(one)); }, origin};
    whole = !decoder.feed(first) && !decoder.feed(second) && !decoder.finish();
    return objects;
}

void check_json(std::string_view text, std::size_t cut) {
    bool whole = false;
    bool pieced = false;
    const auto at_once = read_json(text, {}, whole);
    const auto in_two = read_json(text.substr(0, cut), text.substr(cut), pieced);
    require(whole == pieced && at_once.size() == in_two.size());
    for (std::size_t i = 0; i < at_once.size(); ++i) {
        check(at_once[i]);
        require(at_once[i].object == in_two[i].object && at_once[i].event == in_two[i].event);
        require(at_once[i].warnings == in_two[i].warnings && at_once[i].name == in_two[i].name);
    }
}

std::vector<Decoded> read_protobuf(std::string_view first, std::string_view second,
                                   ProtobufDecoder::Form form, bool& whole) {
    std::vector<Decoded> objects;
    ProtobufDecoder decoder{[&](Decoded&& one) { objects.push_back(std::move(one)); }, form};
    whole = !decoder.feed(first) && !decoder.feed(second) && !decoder.finish();
    return objects;
}

void check_protobuf(std::string_view text, std::size_t cut, ProtobufDecoder::Form form) {
    bool whole = false;
    bool pieced = false;
    const auto at_once = read_protobuf(text, {}, form, whole);
    const auto in_two = read_protobuf(text.substr(0, cut), text.substr(cut), form, pieced);
    require(whole == pieced && at_once.size() == in_two.size());
    for (std::size_t i = 0; i < at_once.size(); ++i) {
        check(at_once[i]);
        require(at_once[i].object == in_two[i].object && at_once[i].name == in_two[i].name);
    }
}

/// A sieve does not ask where the text is cut; and takes nothing out of JSON that an object is made
/// of. A manifest's decoder has none of its own.
void check_sieve(std::string_view text, std::size_t cut) {
    Sieve one;
    const std::string sieved{one.pass(text)};
    Sieve other;
    std::string in_two{other.pass(text.substr(0, cut))};
    in_two += other.pass(text.substr(cut));
    require(sieved == in_two);
    bool good = false;
    bool still_good = false;
    const auto all = read_json(text, {}, good, Origin::manifest);
    const auto kept = read_json(sieved, {}, still_good, Origin::manifest);
    if (!good) return; // what is broken may be broken where nobody looks
    require(still_good && all.size() == kept.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        require(all[i].name == kept[i].name && all[i].warnings.size() == kept[i].warnings.size());
        require(all[i].object.has_error() == kept[i].object.has_error());
        if (!all[i].object.has_error()) require(all[i].object == kept[i].object);
    }
}

/// What is put in twice is put in once, and what is taken out is gone.
void check_store(std::vector<Decoded>&& objects) {
    model::Store store;
    for (const auto& one : objects) {
        if (one.object.has_error()) continue;
        if (const auto* slice = std::get_if<model::EndpointSlice>(&*one.object)) {
            store.put(*slice);
            require(!store.put(*slice) && *store.slice(slice->name) == *slice);
        }
    }
    for (const auto& one : objects)
        store.remove_slice(one.name);
    require(store.all_slices().empty());
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name for it
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view all{reinterpret_cast<const char*>(data), size};
    const auto text = all.substr(2);
    const auto cut = (static_cast<std::size_t>(data[0]) << 8U | data[1]) % (text.size() + 1);
    check_json(text, cut);
    check_sieve(text, cut);
    check_protobuf(text, cut, ProtobufDecoder::Form::single);
    check_protobuf(text, cut, ProtobufDecoder::Form::watch);
    std::vector<Decoded> objects;
    decode_yaml(text, [&](Decoded&& one) {
        check(one);
        objects.push_back(std::move(one));
    });
    check_store(std::move(objects));
    return 0;
}

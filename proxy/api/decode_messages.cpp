#include "proxy/api/decode_messages.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proxy/api/decode_tables.h"

namespace ipvsproxy::api {
namespace {

using protozero::pbf_reader;
using Wire = protozero::pbf_wire_type;

constexpr unsigned type_bits = 3, type_mask = (1U << type_bits) - 1;

/// The fields of one message, in line: an object has a hundred, and what stands before each is
/// mostly one byte. What is longer is protozero's; its pbf_reader keeps and checks more than is
/// needed here.
class FieldReader {
public:
    explicit FieldReader(std::string_view message) noexcept
        : at_{message.data()}, end_{message.data() + message.size()} {}

    bool done() const noexcept { return at_ == end_; }
    /// @throws protozero::exception where it is cut, or has no end; as all that follow
    [[gnu::always_inline]] std::uint64_t varint() {
        if (at_ != end_ && static_cast<signed char>(*at_) >= 0) [[likely]]
            return static_cast<unsigned char>(*at_++);
        if (end_ - at_ >= 2 && static_cast<signed char>(at_[1]) >= 0) [[likely]] {
            const auto low = static_cast<unsigned char>(at_[0]) & low_bits;
            const auto high = static_cast<unsigned char>(at_[1]);
            at_ += 2;
            return low | std::uint64_t{high} << low_size;
        }
        const auto [value, next] = long_varint(at_, end_);
        at_ = next;
        return value;
    }
    [[gnu::always_inline]] std::string_view bytes() {
        const auto size = varint();
        const auto* const begin = at_;
        pass(size);
        return {begin, static_cast<std::size_t>(size)};
    }
    void skip(Wire type) {
        constexpr std::uint64_t four = 4, eight = 8;
        switch (type) {
        case Wire::varint:
            return static_cast<void>(varint());
        case Wire::length_delimited:
            return static_cast<void>(bytes());
        case Wire::fixed32:
            return pass(four);
        case Wire::fixed64:
            return pass(eight);
        case Wire::unknown:
            break;
        }
        throw protozero::unknown_pbf_wire_type_exception{};
    }

private:
    static constexpr unsigned low_size = 7, low_bits = (1U << low_size) - 1; ///< of each byte

    [[gnu::always_inline]] void pass(std::uint64_t size) {
        if (size > static_cast<std::uint64_t>(end_ - at_))
            throw protozero::end_of_buffer_exception{};
        at_ += size;
    }
    /// Takes no reference to what is to stay in registers.
    [[gnu::noinline]] static std::pair<std::uint64_t, const char*> long_varint(const char* at,
                                                                               const char* end) {
        const auto value = protozero::decode_varint(&at, end);
        return {value, at};
    }

    const char *at_, *end_;
};

/// A field on the way to where the reader is: for what is said of it.
struct Place {
    const Place* outer;
    const Field* field;
    std::size_t index; ///< of a list: the element, from 1; else 0
};

/// `spec.ports[0].port`
std::string path(const Place* innermost) {
    std::string text;
    for (const auto* place = innermost; place != nullptr; place = place->outer) {
        std::string step{place->field->key};
        if (place->index > 0) step += '[' + std::to_string(place->index - 1) + ']';
        if (!text.empty()) step += '.';
        step += text;
        text = std::move(step);
    }
    return text;
}

// What is seldom said is kept apart from what is done for every field.

[[gnu::noinline]] void judge(Draft& draft, const Place& place, const Verdict& verdict,
                             std::string_view value) {
    draft.note(place.field->kinds, verdict.outcome == Verdict::refused,
               {path(&place), verdict.text(value)});
}
[[gnu::noinline]] void too_long(Draft& draft, const Place& place) {
    draft.note(place.field->kinds, true, {path(&place), "longer than 65536 bytes"});
}
[[gnu::noinline]] void too_many(Draft& draft, const Place& place) {
    if (place.index == max_elements + 1)
        draft.note(place.field->kinds, true,
                   {path(place.outer), "more than " + std::to_string(max_elements) + " elements"});
}

/// map<string, string>: one entry is a message of key and value.
void read_entry(Draft& draft, std::string_view entry, const Place& place) {
    pbf_reader in{entry.data(), entry.size()};
    std::string_view key, value;
    while (in.next()) {
        if (in.tag() == 1) key = text_in(in);
        else if (in.tag() == 2) value = text_in(in);
        else in.skip();
    }
    const auto* field = place.field->inside->find(key).field;
    if (field == nullptr) return;
    if (field->kinds != of_all) draft.touched = static_cast<Kinds>(draft.touched | field->kinds);
    const Place inner{&place, field, 0};
    if (value.size() > max_text) return too_long(draft, inner);
    if (const auto verdict = field->text(draft, value); verdict.outcome != Verdict::taken)
        judge(draft, inner, verdict, value);
}

/// metav1.Time
std::chrono::system_clock::time_point time_in(std::string_view time) {
    const auto number_in = [](pbf_reader& in) {
        if (in.wire_type() != Wire::varint) throw Broken{"a field has the wrong type"};
        return in.get_int64();
    };
    pbf_reader in{time.data(), time.size()};
    std::int64_t seconds = 0, nanoseconds = 0;
    while (in.next()) {
        if (in.tag() == 1) seconds = number_in(in);
        else if (in.tag() == 2) nanoseconds = number_in(in);
        else in.skip();
    }
    using std::chrono::system_clock;
    constexpr auto farthest =
        std::chrono::floor<std::chrono::seconds>(system_clock::duration::max()).count() - 1;
    return system_clock::time_point{
        std::chrono::duration_cast<system_clock::duration>(
            std::chrono::seconds{std::clamp(seconds, -farthest, farthest)}) +
        std::chrono::duration_cast<system_clock::duration>(
            std::chrono::nanoseconds{std::clamp<std::int64_t>(nanoseconds, 0, 999'999'999)})};
}

enum class Form : std::uint8_t {
    plain,
    maybe_empty, ///< text: the empty one is a value; elsewhere Go writes it for "nothing"
    time,        ///< text in JSON, metav1.Time here
    map,         ///< an object whose keys are not fields, but entries: labels
    message      ///< object, objects
};

/// A field of a message. Numbers never change their meaning (protobuf's first rule), so that these
/// hold for any API server.
struct Number {
    using Inside = void (*)(Draft&, std::string_view, const Place*);

    std::uint32_t number;
    const Field* field;
    Form form;
    Inside inside{}; ///< of a message

    constexpr Number(std::uint32_t is, const Field* of, Form given = Form::plain)
        : number{is}, field{of}, form{given} {}
    constexpr Number(std::uint32_t is, const Field* of, Inside message)
        : number{is}, field{of}, form{Form::message}, inside{message} {}

    constexpr bool is_list() const {
        return field->shape == Shape::texts || field->shape == Shape::objects;
    }
    constexpr Wire type() const {
        return field->shape == Shape::integer || field->shape == Shape::boolean
                   ? Wire::varint
                   : Wire::length_delimited;
    }
    /// What the field begins with.
    constexpr std::uint64_t key() const {
        return std::uint64_t{number} << type_bits | static_cast<unsigned>(type());
    }
};

/// The value of a field that has a length.
template <const auto& Numbers, std::size_t At> [[gnu::always_inline]] inline void
take_bytes(Draft& draft, std::string_view bytes, const Place& place) {
    constexpr const Number& number = Numbers[At];
    constexpr const Field& field = *number.field;
    if constexpr (number.form == Form::message) {
        if constexpr (number.is_list()) field.next(draft);
        number.inside(draft, bytes, &place);
    } else if constexpr (number.form == Form::map) {
        read_entry(draft, bytes, place);
    } else if constexpr (number.form == Form::time) {
        field.time(draft, time_in(bytes));
    } else {
        if (bytes.empty() && !number.is_list() && number.form == Form::plain) return;
        if (bytes.size() > max_text) return too_long(draft, place);
        if (const auto verdict = field.text(draft, bytes); verdict.outcome != Verdict::taken)
            judge(draft, place, verdict, bytes);
    }
}

/// @param elements how many the list has had so far
template <const auto& Numbers, std::size_t At> [[gnu::always_inline]] inline void
take(Draft& draft, FieldReader& in, std::size_t& elements, const Place* outer) {
    constexpr const Number& number = Numbers[At];
    constexpr const Field& field = *number.field;
    if constexpr (field.kinds != of_all)
        draft.touched = static_cast<Kinds>(draft.touched | field.kinds);
    if constexpr (field.shape == Shape::boolean) {
        field.boolean(draft, in.varint() != 0);
    } else if constexpr (field.shape == Shape::integer) {
        const auto verdict = field.integer(draft, static_cast<std::int64_t>(in.varint()));
        if (verdict.outcome != Verdict::taken) judge(draft, {outer, &field, 0}, verdict, {});
    } else if constexpr (number.is_list()) {
        const Place place{outer, &field, ++elements};
        if (elements == 1) field.begin(draft);
        const auto bytes = in.bytes();
        if (elements > max_elements) return too_many(draft, place);
        take_bytes<Numbers, At>(draft, bytes, place);
    } else {
        take_bytes<Numbers, At>(draft, in.bytes(), {outer, &field, 0});
    }
}

/// Whether a field of that number is read, or cannot be.
template <const auto& Numbers> constexpr bool is_ours(std::uint64_t number) {
    constexpr auto ours = [] {
        std::uint64_t bits = 1; // no field has number 0
        for (const Number& each : Numbers)
            bits |= std::uint64_t{1} << each.number;
        return bits;
    }();
    return number < 64 && (ours >> number & 1U) != 0;
}

/// A field of ours that is not of the type that it should be, or of one that is seldom.
template <const auto& Numbers>
[[gnu::noinline]] FieldReader passed_over(FieldReader in, std::uint64_t key) {
    if (key >> type_bits == 0) throw protozero::invalid_tag_exception{};
    if (is_ours<Numbers>(key >> type_bits)) throw Broken{"a field has the wrong type"};
    in.skip(static_cast<Wire>(key & type_mask));
    return in;
}

/// One message, compiled from the numbers of its fields.
template <const auto& Numbers>
void read(Draft& draft, std::string_view message, const Place* outer) {
    std::array<std::size_t, Numbers.size()> elements{};
    for (FieldReader in{message}; !in.done();) {
        const auto key = in.varint();
        const bool known = [&]<std::size_t... Each>(std::index_sequence<Each...> /*all*/) {
            return ((key == Numbers[Each].key() &&
                     (take<Numbers, Each>(draft, in, elements[Each], outer), true)) ||
                    ...);
        }
        (std::make_index_sequence<Numbers.size()>{});
        if (known) continue;
        const bool has_length = static_cast<Wire>(key & type_mask) == Wire::length_delimited;
        if (has_length && !is_ours<Numbers>(key >> type_bits)) in.bytes(); // most are such
        else in = passed_over<Numbers>(in, key);
    }
}
template <const auto& Numbers> void read_object(std::string_view object, Draft& draft) {
    read<Numbers>(draft, object, nullptr);
}

/// A field of the same object in JSON. Does not compile where there is none.
template <const auto& All> consteval const Field* named(std::string_view key) {
    for (const auto& field : All)
        if (field.key == key) return &field;
    throw "no such field";
}

// Sources: generated.proto of k8s.io/apimachinery/pkg/apis/meta/v1, k8s.io/api/core/v1 and
// k8s.io/api/discovery/v1.
using namespace tables; // NOLINT(google-build-using-namespace): what all of this is made of

// metav1.ObjectMeta, as far as it says something of that kind
constexpr Number name_number{1, named<metadata_fields>("name")};
constexpr Number space_number{3, named<metadata_fields>("namespace")};
constexpr Number version_number{6, named<metadata_fields>("resourceVersion")};
constexpr Number labels_number{11, named<metadata_fields>("labels"), Form::map};
constexpr Number annotations_number{12, named<metadata_fields>("annotations"), Form::map};
constexpr std::array metadata_numbers{name_number, space_number, version_number, labels_number,
                                      annotations_number};
constexpr std::array service_metadata_numbers{
    name_number,    space_number,
    version_number, Number{8, named<metadata_fields>("creationTimestamp"), Form::time},
    labels_number,  annotations_number};
constexpr std::array node_metadata_numbers{
    name_number,    space_number,
    version_number, Number{9, named<metadata_fields>("deletionTimestamp"), Form::time},
    labels_number,  annotations_number};
constexpr std::array service_port_numbers{
    Number{1, named<service_port_fields>("name")},
    Number{2, named<service_port_fields>("protocol")},
    Number{3, named<service_port_fields>("port")},
    Number{5, named<service_port_fields>("nodePort")},
};
constexpr std::array client_ip_numbers{
    Number{1, named<client_ip_fields>("timeoutSeconds")},
};
constexpr std::array affinity_numbers{
    Number{1, named<affinity_fields>("clientIP"), read<client_ip_numbers>},
};
constexpr std::array service_spec_numbers{
    Number{1, named<spec_fields>("ports"), read<service_port_numbers>},
    Number{3, named<spec_fields>("clusterIP")},
    Number{4, named<spec_fields>("type")},
    Number{5, named<spec_fields>("externalIPs")},
    Number{7, named<spec_fields>("sessionAffinity")},
    Number{9, named<spec_fields>("loadBalancerSourceRanges")},
    Number{11, named<spec_fields>("externalTrafficPolicy")},
    Number{12, named<spec_fields>("healthCheckNodePort")},
    Number{14, named<spec_fields>("sessionAffinityConfig"), read<affinity_numbers>},
    Number{18, named<spec_fields>("clusterIPs")},
    Number{19, named<spec_fields>("ipFamilies")},
    Number{22, named<spec_fields>("internalTrafficPolicy")},
};
constexpr std::array ingress_numbers{
    Number{1, named<ingress_fields>("ip")},
    Number{3, named<ingress_fields>("ipMode")},
};
constexpr std::array load_balancer_numbers{
    Number{1, named<load_balancer_fields>("ingress"), read<ingress_numbers>},
};
constexpr std::array service_status_numbers{
    Number{1, named<status_fields>("loadBalancer"), read<load_balancer_numbers>},
};
constexpr std::array service_numbers{
    Number{1, named<whole_fields>("metadata"), read<service_metadata_numbers>},
    Number{2, named<whole_fields>("spec"), read<service_spec_numbers>},
    Number{3, named<whole_fields>("status"), read<service_status_numbers>},
};
constexpr std::array conditions_numbers{
    Number{1, named<condition_fields>("ready")},
    Number{2, named<condition_fields>("serving")},
    Number{3, named<condition_fields>("terminating")},
};
constexpr std::array zone_hint_numbers{
    Number{1, named<hint_name<&Draft::Hints::zones>>("name")},
};
constexpr std::array node_hint_numbers{
    Number{1, named<hint_name<&Draft::Hints::nodes>>("name")},
};
constexpr std::array hints_numbers{
    Number{1, named<hint_fields>("forZones"), read<zone_hint_numbers>},
    Number{2, named<hint_fields>("forNodes"), read<node_hint_numbers>},
};
constexpr std::array endpoint_numbers{
    Number{1, named<endpoint_fields>("addresses")},
    Number{2, named<endpoint_fields>("conditions"), read<conditions_numbers>},
    Number{6, named<endpoint_fields>("nodeName")},
    Number{8, named<endpoint_fields>("hints"), read<hints_numbers>},
};
constexpr std::array slice_port_numbers{
    Number{1, named<slice_port_fields>("name"), Form::maybe_empty},
    Number{2, named<slice_port_fields>("protocol")},
    Number{3, named<slice_port_fields>("port")},
};
constexpr std::array slice_numbers{
    Number{1, named<whole_fields>("metadata"), read<metadata_numbers>},
    Number{2, named<whole_fields>("endpoints"), read<endpoint_numbers>},
    Number{3, named<whole_fields>("ports"), read<slice_port_numbers>},
    Number{4, named<whole_fields>("addressType")},
};
constexpr std::array taint_numbers{
    Number{1, named<taint_fields>("key")},
};
constexpr std::array node_spec_numbers{
    Number{1, named<spec_fields>("podCIDR")},
    Number{5, named<spec_fields>("taints"), read<taint_numbers>},
    Number{7, named<spec_fields>("podCIDRs")},
};
constexpr std::array node_address_numbers{
    Number{1, named<node_address_fields>("type")},
    Number{2, named<node_address_fields>("address")},
};
constexpr std::array node_status_numbers{
    Number{5, named<status_fields>("addresses"), read<node_address_numbers>},
};
constexpr std::array node_numbers{
    Number{1, named<whole_fields>("metadata"), read<node_metadata_numbers>},
    Number{2, named<whole_fields>("spec"), read<node_spec_numbers>},
    Number{3, named<whole_fields>("status"), read<node_status_numbers>},
};
constexpr std::array status_object_numbers{
    Number{3, named<whole_fields>("message")},
    Number{4, named<whole_fields>("reason")},
    Number{6, named<whole_fields>("code")},
};
constexpr std::array other_numbers{
    Number{1, named<whole_fields>("metadata"), read<metadata_numbers>},
};
} // namespace

std::string_view text_in(pbf_reader& in) {
    if (in.wire_type() != Wire::length_delimited) throw Broken{"a field has the wrong type"};
    const auto view = in.get_view();
    return {view.data(), view.size()};
}

MessageReader message_of(std::string_view kind) {
    if (kind == "EndpointSlice") return read_object<slice_numbers>;
    if (kind == "Service") return read_object<service_numbers>;
    if (kind == "Node") return read_object<node_numbers>;
    return kind == "Status" ? read_object<status_object_numbers> : read_object<other_numbers>;
}

} // namespace ipvsproxy::api

#include <algorithm>
#include <utility>

#include "proxy/api/decode_messages.h"

namespace ipvsproxy::api {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using Wire = pbf_wire_type;

constexpr std::size_t max_object = 16U << 20U; ///< etcd holds none of 2 MiB
constexpr std::string_view magic{"k8s\0", 4};  ///< what an envelope begins with
constexpr std::string_view list_suffix = "List";

/// The next field as a message. @throws Broken where it is a number.
pbf_reader message_in(pbf_reader& in) {
    const auto bytes = text_in(in);
    return {bytes.data(), bytes.size()};
}

/// runtime.TypeMeta
void read_type(pbf_reader in, Draft& draft) {
    while (in.next()) {
        if (in.tag() == 1) draft.api_version = text_in(in);
        else if (in.tag() == 2) draft.kind = text_in(in);
        else in.skip();
    }
}

/// metav1.ListMeta
void read_list_meta(pbf_reader in, Draft& draft) {
    while (in.next()) {
        if (in.tag() == 2) draft.resource_version = text_in(in);
        else if (in.tag() == 3) draft.continue_token = text_in(in);
        else in.skip();
    }
}

/// A varint at the beginning of `bytes`, which it is taken from.
/// @return nothing when there is only a part of it. @throws Broken when it has no end.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
    constexpr std::size_t longest = 10;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size() && i < longest; ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        value |= std::uint64_t{byte & 0x7fU} << (7 * i);
        if ((byte & 0x80U) != 0) continue;
        bytes.remove_prefix(i + 1);
        return value;
    }
    if (bytes.size() >= longest) throw Broken{"a number has no end"};
    return std::nullopt;
}

} // namespace

/// The outermost layers come in pieces and are read as they come: the envelope, the list's items,
/// the frames. What is within one of these is looked at when it is there whole.
struct ProtobufDecoder::Parts {
    Parts(Receiver to, Form form)
        : receiver{std::move(to)}, stage{form == Form::watch ? Stage::frames : Stage::magic} {}

    enum class Stage : std::uint8_t { magic, envelope, list, frames };

    /// Takes what is there whole. @return how much of it that was.
    std::size_t take(std::string_view bytes) {
        auto rest = bytes;
        do
            wanted = 0;
        while (take_one(rest));
        return bytes.size() - rest.size();
    }

    /// Of what has been waiting no more is copied than what it needs to be whole.
    /// @return what is left of `bytes`
    std::string_view take_more(std::string_view bytes) {
        if (waiting.empty()) {
            waiting = bytes.substr(take(bytes));
            return {};
        }
        const auto missing = std::max(wanted, waiting.size() + 1) - waiting.size();
        const auto more = bytes.substr(0, missing);
        waiting += more;
        waiting.erase(0, take(waiting));
        return bytes.substr(more.size());
    }

    /// @return whether anything was taken from `rest`.
    bool take_one(std::string_view& rest) {
        switch (stage) {
        case Stage::magic:
            return take_magic(rest);
        case Stage::envelope:
            return take_of_envelope(rest);
        case Stage::list:
            return take_of_list(rest);
        case Stage::frames:
            return take_frame(rest);
        }
        return false; // not reached: the switch names every stage
    }

    bool take_magic(std::string_view& rest) {
        if (rest.size() < magic.size()) return false;
        if (!rest.starts_with(magic)) throw Broken{"the envelope is missing"};
        rest.remove_prefix(magic.size());
        stage = Stage::envelope;
        root.reset();
        return true;
    }

    /// One field of runtime.Unknown: the type first, then the object or list.
    bool take_of_envelope(std::string_view& rest) {
        constexpr std::uint64_t type = 1, raw = 2;
        auto left = rest;
        const auto field = take_head(left);
        if (!field) return false;
        if (field->number == raw && root.kind.ends_with(list_suffix)) {
            list_left = field->length;
            items = message_of(
                std::string_view{root.kind}.substr(0, root.kind.size() - list_suffix.size()));
            stage = Stage::list;
            rest = left;
            return true;
        }
        if (!is_there(left, rest.size() - left.size(), field->length)) return false;
        const auto value = left.substr(0, field->length);
        if (field->number == type) read_type(pbf_reader{value.data(), value.size()}, root);
        else if (field->number == raw) take_object(value);
        left.remove_prefix(field->length);
        rest = left;
        return true;
    }

    /// One field of a list: its metadata first, then the items.
    bool take_of_list(std::string_view& rest) {
        constexpr std::uint64_t metadata = 1, element = 2;
        if (list_left == 0) {
            end = ListEnd{root.resource_version, root.continue_token};
            stage = Stage::envelope;
            whole = true;
            return true;
        }
        auto left = rest.substr(0, list_left);
        const bool all = left.size() == list_left;
        const auto before = left.size();
        const auto field = take_head(left);
        if (!field && all) throw Broken{"a list ends in the middle of an item"};
        if (!field) return false;
        if (list_left - (before - left.size()) < field->length)
            throw Broken{"an item is longer than its list"};
        if (!is_there(left, before - left.size(), field->length)) return false;
        const auto value = left.substr(0, field->length);
        if (field->number == metadata) read_list_meta(pbf_reader{value.data(), value.size()}, root);
        else if (field->number == element) take_item(value);
        const auto taken = before - left.size() + field->length;
        list_left -= taken;
        rest.remove_prefix(taken);
        return true;
    }

    /// One event of a watch: its length in four bytes, the first the highest, and
    /// metav1.WatchEvent.
    bool take_frame(std::string_view& rest) {
        constexpr std::size_t head = 4;
        if (rest.size() < head) return false;
        std::size_t length = 0;
        for (const char c : rest.substr(0, head))
            length = length << 8U | static_cast<unsigned char>(c);
        if (!is_there(rest.substr(head), head, length)) return false;
        take_event(rest.substr(head, length));
        rest.remove_prefix(head + length);
        return true;
    }

    struct Head {
        std::uint64_t number;
        std::size_t length;
    };
    /// Of a field that has a length, as all of the outer layers have.
    static std::optional<Head> take_head(std::string_view& bytes) {
        const auto key = take_varint(bytes);
        if (!key) return std::nullopt;
        constexpr unsigned type_bits = 3, type_mask = 7;
        if ((*key & type_mask) != static_cast<unsigned>(Wire::length_delimited))
            throw Broken{"a field has the wrong type"};
        const auto length = take_varint(bytes);
        if (!length) return std::nullopt;
        return Head{*key >> type_bits, static_cast<std::size_t>(*length)};
    }

    /// Whether `bytes` have all of what comes next. @param head bytes before it
    bool is_there(std::string_view bytes, std::size_t head, std::size_t length) {
        if (length > max_object) throw Broken{"an object of more than 16 MiB"};
        wanted = head + length;
        return bytes.size() >= length;
    }

    void take_item(std::string_view bytes) {
        item.reset();
        items(bytes, item);
        receiver(api::finish(std::move(item), Origin::server, root.kind, root.api_version));
    }

    void take_object(std::string_view bytes) {
        message_of(root.kind)(bytes, root);
        whole = true;
        receiver(api::finish(std::move(root), Origin::server));
        root.reset();
    }

    void take_event(std::string_view bytes) {
        pbf_reader in{bytes.data(), bytes.size()};
        std::string_view type, object;
        while (in.next()) {
            if (in.tag() == 1) type = text_in(in);
            else if (in.tag() == 2) object = raw_extension(message_in(in));
            else in.skip();
        }
        const auto event = event_of(type);
        if (!event) throw Broken{"an event of no known type"};
        if (!object.starts_with(magic)) throw Broken{"the envelope is missing"};
        object.remove_prefix(magic.size());
        item.reset();
        pbf_reader envelope{object.data(), object.size()};
        while (envelope.next()) {
            if (envelope.tag() == 1) read_type(message_in(envelope), item);
            else if (envelope.tag() == 2) message_of(item.kind)(text_in(envelope), item);
            else envelope.skip();
        }
        receiver(api::finish_event(std::move(item), *event, Origin::server));
    }

    /// runtime.RawExtension
    static std::string_view raw_extension(pbf_reader in) {
        std::string_view raw;
        while (in.next()) {
            if (in.tag() == 1) raw = text_in(in);
            else in.skip();
        }
        return raw;
    }

    Receiver receiver;
    Stage stage;
    Draft root{}, item{};
    std::size_t list_left{}; ///< bytes of the list that have not been taken
    MessageReader items{};   ///< of what its items are
    bool whole{};            ///< the object or list was taken
    std::string waiting{};   ///< the beginning of what is not there whole …
    std::size_t wanted{};    ///< … and how long that will be; 0: not known yet
    std::optional<ListEnd> end{};
    std::optional<Problem> problem{};
};

ProtobufDecoder::ProtobufDecoder(Receiver receiver, Form form)
    : parts_{std::make_unique<Parts>(std::move(receiver), form)} {}
ProtobufDecoder::~ProtobufDecoder() = default;

std::optional<Problem> ProtobufDecoder::feed(std::string_view bytes) {
    auto& parts = *parts_;
    if (parts.problem) return parts.problem;
    const char* reason = nullptr;
    try {
        while (!bytes.empty())
            bytes = parts.take_more(bytes);
        return std::nullopt;
    } catch (const Broken& broken) {
        reason = broken.reason;
    } catch (const protozero::exception& error) {
        reason = error.what();
    }
    return parts.problem = Problem{{}, std::string{"not the API's protobuf: "} + reason};
}

std::optional<Problem> ProtobufDecoder::finish() {
    auto& parts = *parts_;
    if (parts.problem) return parts.problem;
    const bool complete =
        parts.waiting.empty() && (parts.whole || parts.stage == Parts::Stage::frames);
    if (complete) return std::nullopt;
    return parts.problem = Problem{{}, "not the API's protobuf: it ends too soon"};
}

const std::optional<ListEnd>& ProtobufDecoder::list_end() const {
    return parts_->end;
}

} // namespace ipvsproxy::api

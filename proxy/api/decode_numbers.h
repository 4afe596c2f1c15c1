// The numbers that the fields of decode_fields.h have in protobuf.
#pragma once

#include <array>

#include "proxy/api/decode_fields.h"

namespace ipvsproxy::api {

/// A message of Kubernetes' generated.proto: which of its fields are read. Numbers never change
/// their meaning (protobuf's first rule), so that these hold for any API server.
class Message {
public:
    enum class Form : std::uint8_t {
        plain,
        maybe_empty, ///< text: the empty one is a value; elsewhere Go writes it for "nothing"
        map          ///< an object whose keys are not fields, but entries: labels
    };
    struct Slot {
        const Field* field{};     ///< null: not read
        const Message* message{}; ///< of object, objects
        Form form{Form::plain};
    };
    /// One line of a message's table.
    struct Number {
        std::uint32_t number;
        std::string_view key;
        const Message* message{};
        Form form{Form::plain};
    };
    /// @param fields those of the same object in JSON, which have all the keys
    Message(const Fields& fields, std::span<const Number> numbers);

    const Slot& slot(std::uint32_t number) const noexcept {
        return slots_[number < slots_.size() ? number : 0];
    }

private:
    std::array<Slot, 24> slots_{}; ///< by number; the first stands for all that are not read
};

/// The message of an object of that kind. Of kinds that are not read it has the metadata alone.
const Message& message_of(std::string_view kind);

} // namespace ipvsproxy::api

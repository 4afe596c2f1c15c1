#include "proxy/serve/cbor.h"

#include <algorithm>
#include <bit>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <vector>

namespace ipvsproxy::serve {
namespace {

namespace json = boost::json;

constexpr std::string_view self_described{"\xd9\xd9\xf7"}; ///< the head of tag 55799

/// RFC 8949, section 3.1.
enum class Major : std::uint8_t { positive = 0, negative = 1, bytes = 2, array = 4, map = 5 };

/// Simple values, section 3.3, whole.
constexpr char false_byte = '\xf4';
constexpr char true_byte = '\xf5';
constexpr char null_byte = '\xf6';
constexpr char float64_head = '\xfb';

// NOLINTBEGIN(misc-no-recursion): as deep as the value is nested
class Writer {
public:
    std::string out{};

    void value(const json::value& any) {
        switch (any.kind()) {
        case json::kind::null:
            out += null_byte;
            break;
        case json::kind::bool_:
            out += any.get_bool() ? true_byte : false_byte;
            break;
        case json::kind::int64:
            whole(any.get_int64());
            break;
        case json::kind::uint64:
            head(Major::positive, any.get_uint64());
            break;
        case json::kind::double_:
            fraction(any.get_double());
            break;
        case json::kind::string:
            bytes(any.get_string());
            break;
        case json::kind::array:
            array(any.get_array());
            break;
        case json::kind::object:
            map(any.get_object());
            break;
        }
    }

private:
    void whole(std::int64_t number) {
        if (number < 0) head(Major::negative, static_cast<std::uint64_t>(-(number + 1)));
        else head(Major::positive, static_cast<std::uint64_t>(number));
    }

    void fraction(double number) {
        out += float64_head;
        big_endian(std::bit_cast<std::uint64_t>(number), 8);
    }

    void array(const json::array& values) {
        head(Major::array, values.size());
        for (const auto& each : values)
            value(each);
    }

    void map(const json::object& object) {
        head(Major::map, object.size());
        std::vector<const json::key_value_pair*> fields;
        for (const auto& field : object)
            fields.push_back(&field);
        // The length comes first in an encoded key, so that shorter keys come first.
        std::ranges::sort(fields, {}, [](const auto* field) {
            return std::pair{field->key().size(), field->key()};
        });
        for (const auto* field : fields) {
            bytes(field->key());
            value(field->value());
        }
    }

    void bytes(std::string_view text) {
        head(Major::bytes, text.size());
        out += text;
    }

    void head(Major major, std::uint64_t argument) {
        const auto first = static_cast<unsigned>(major) << 5U;
        if (argument < 24) {
            out += static_cast<char>(first | argument);
            return;
        }
        unsigned log = 0; // of the number of bytes
        while (log < 3 && argument >> (8U << log) != 0)
            ++log;
        out += static_cast<char>(first | (24 + log));
        big_endian(argument, 1U << log);
    }

    void big_endian(std::uint64_t number, unsigned count) {
        while (count-- > 0)
            out += static_cast<char>(number >> (8 * count));
    }
};
// NOLINTEND(misc-no-recursion)

} // namespace

std::string to_cbor(const json::value& value) {
    Writer writer{.out = std::string{self_described}};
    writer.value(value);
    return std::move(writer.out);
}

} // namespace ipvsproxy::serve

#include "proxy/serve/cbor.h"

#include <algorithm>
#include <bit>
#include <boost/json/visit.hpp>
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

class Writer {
public:
    std::string out{};

    void operator()(std::nullptr_t) { out += null_byte; }
    void operator()(bool value) { out += value ? true_byte : false_byte; }
    void operator()(std::uint64_t value) { head(Major::positive, value); }
    void operator()(std::int64_t value) {
        if (value < 0) head(Major::negative, static_cast<std::uint64_t>(-(value + 1)));
        else head(Major::positive, static_cast<std::uint64_t>(value));
    }
    void operator()(double value) {
        out += float64_head;
        big_endian(std::bit_cast<std::uint64_t>(value), 8);
    }
    void operator()(const json::string& value) { bytes(value); }
    void operator()(const json::array& values) {
        head(Major::array, values.size());
        for (const auto& value : values)
            json::visit(*this, value);
    }
    void operator()(const json::object& object) {
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
            json::visit(*this, field->value());
        }
    }

private:
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

} // namespace

std::string to_cbor(const json::value& value) {
    Writer writer{.out = std::string{self_described}};
    json::visit(writer, value);
    return std::move(writer.out);
}

} // namespace ipvsproxy::serve

#include <algorithm>
#include <charconv>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/node/node.h> // parser.h only declares Node, which clang-tidy takes for model::Node
#include <yaml-cpp/parser.h>

#include "proxy/api/decode_walk_steps.h"

namespace ipvsproxy::api {
namespace {

constexpr std::size_t max_size = std::size_t{64} << 20U; ///< of a text; yaml-cpp is not fast

enum class Scalar : std::uint8_t { text, integer, number, yes, no, null };
struct Resolved {
    Scalar type;
    std::int64_t integer{};
};

constexpr std::string_view decimal = "0123456789";

constexpr bool only(std::string_view text, std::string_view allowed) {
    return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

Resolved integer(std::string_view digits, int base) {
    std::int64_t value{};
    const auto* end = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), end, value, base);
    if (error != std::errc{} || stopped != end) return {Scalar::number};
    return {Scalar::integer, value};
}

/// With a fraction or an exponent, or no finite one.
bool is_number(std::string_view text) {
    if (text == ".nan" || text == ".NaN" || text == ".NAN") return true;
    const auto drop_sign = [&] {
        if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    };
    const auto drop_digits = [&] {
        const auto count = std::min(text.find_first_not_of(decimal), text.size());
        text.remove_prefix(count);
        return count;
    };
    drop_sign();
    if (text == ".inf" || text == ".Inf" || text == ".INF") return true;
    auto digits = drop_digits();
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        digits += drop_digits();
    }
    if (digits == 0 || text.empty()) return digits > 0;
    if (text.front() != 'e' && text.front() != 'E') return false;
    text.remove_prefix(1);
    drop_sign();
    return drop_digits() > 0 && text.empty();
}

/// The core schema of YAML 1.2 (10.3.2): "yes" and "on" are strings, 010 is ten.
Resolved resolve(const std::string& text) {
    if (text == "true" || text == "True" || text == "TRUE") return {Scalar::yes};
    if (text == "false" || text == "False" || text == "FALSE") return {Scalar::no};
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
        return {Scalar::null};
    const std::string_view all = text;
    if (only(all, decimal)) return integer(all, 10);
    if (all[0] == '-' && only(all.substr(1), decimal)) return integer(all, 10);
    if (all[0] == '+' && only(all.substr(1), decimal)) return integer(all.substr(1), 10);
    if (all.starts_with("0o") && only(all.substr(2), "01234567")) return integer(all.substr(2), 8);
    if (all.starts_with("0x") && only(all.substr(2), "0123456789abcdefABCDEF"))
        return integer(all.substr(2), 16);
    return {is_number(text) ? Scalar::number : Scalar::text};
}

class YamlPosition final : public Position {
public:
    std::size_t line() const override { return line_; }
    void see(const YAML::Mark& mark) { line_ = static_cast<std::size_t>(mark.line) + 1; }

private:
    std::size_t line_{};
};

/// yaml-cpp's events to the walk's: tells keys from values and gives plain scalars their types.
class YamlHandler final : public YAML::EventHandler {
public:
    YamlHandler(Walk& walk, YamlPosition& position) : walk_{walk}, position_{position} {}

    /// yaml-cpp 0.7 takes a token that nothing can begin with, such as a stray "}", for an empty
    /// document, and leaves it there for the next one, for ever.
    void OnDocumentStart(const YAML::Mark& mark) override {
        if (mark.pos == begins_at_) throw YAML::ParserException(mark, "nothing can begin here");
        begins_at_ = mark.pos;
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
        see(mark);
        if (!is_key("null")) walk_.null();
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        see(mark);
        if (expects_key()) throw YAML::ParserException(mark, "a key must be a string");
        done();
        if (walk_.wants_value()) walk_.refuse("YAML aliases are not read");
        walk_.null();
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  const std::string& value) override {
        see(mark);
        if (is_key(value)) return;
        constexpr std::string_view core = "tag:yaml.org,2002:";
        const bool typed = tag == "?" || (tag.starts_with(core) && !tag.ends_with(":str"));
        const auto [type, integer] = typed ? resolve(value) : Resolved{Scalar::text};
        switch (type) {
        case Scalar::text:
            return walk_.text(value);
        case Scalar::integer:
            return walk_.integer(integer);
        case Scalar::number:
            return walk_.number();
        case Scalar::yes:
            return walk_.boolean(true);
        case Scalar::no:
            return walk_.boolean(false);
        case Scalar::null:
            return walk_.null();
        }
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        open(mark, Container::list);
        walk_.begin_list();
    }
    void OnSequenceEnd() override {
        containers_.pop_back();
        walk_.end_list();
    }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {
        open(mark, Container::key);
        walk_.begin_object();
    }
    void OnMapEnd() override {
        containers_.pop_back();
        walk_.end_object();
    }

private:
    enum class Container : std::uint8_t { list, key, value }; ///< what comes next in it

    void see(const YAML::Mark& mark) { position_.see(mark); }
    bool expects_key() const {
        return !containers_.empty() && containers_.back() == Container::key;
    }
    /// A value begins: after it a map has a key again.
    void done() {
        if (!containers_.empty() && containers_.back() == Container::value)
            containers_.back() = Container::key;
    }
    bool is_key(const std::string& text) {
        if (!expects_key()) {
            done();
            return false;
        }
        containers_.back() = Container::value;
        walk_.key(text);
        if (text == "<<") walk_.refuse("YAML merge keys are not read");
        return true;
    }
    void open(const YAML::Mark& mark, Container container) {
        see(mark);
        if (expects_key()) throw YAML::ParserException(mark, "a key must be a string");
        done();
        containers_.push_back(container);
    }

    Walk& walk_;
    YamlPosition& position_;
    std::vector<Container> containers_{};
    int begins_at_{-1}; ///< the document being read: its offset
};

} // namespace

std::optional<Problem> decode_yaml(std::string_view text, const Receiver& receiver, Origin origin) {
    if (text.size() > max_size) return Problem{{}, "larger than 64 MiB"};
    std::istringstream in{std::string{text}};
    YamlPosition position;
    Walk walk{receiver, origin, position};
    YamlHandler handler{walk, position};
    try {
        YAML::Parser parser{in};
        while (parser.HandleNextDocument(handler)) {
        }
    } catch (const YAML::Exception& error) { // the library's only way to say so
        return Problem{walk.path(), "not YAML: " + error.msg,
                       static_cast<std::size_t>(error.mark.line) + 1};
    }
    return std::nullopt;
}

} // namespace ipvsproxy::api

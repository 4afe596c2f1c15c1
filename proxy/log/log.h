// The log: one line an event, in klog's text form or as JSON, on stderr.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ipvsproxy::log {

/// What a key of a log line says. Texts are printed in quotes, numbers and truths are not.
class Value {
public:
    template <std::same_as<bool> Truth> Value(Truth truth) : data_{truth} {}
    template <std::integral Number>
    requires(!std::same_as<Number, bool>) Value(Number number) : data_{widened(number)} {}
    Value(double number) : data_{number} {}
    Value(std::string text) : data_{std::move(text)} {}
    Value(std::string_view text) : data_{std::string{text}} {}
    Value(const char* text) : data_{std::string{text}} {}
    Value(std::vector<std::string> texts) : data_{std::move(texts)} {}
    /// Of anything that prints itself: addresses, prefixes, names of objects.
    template <class Printable>
    requires std::convertible_to<decltype(std::declval<const Printable&>().text()), std::string>
    Value(const Printable& value) : data_{std::string{value.text()}} {}

    using Data = std::variant<bool, std::int64_t, std::uint64_t, double, std::string,
                              std::vector<std::string>>;
    const Data& data() const noexcept { return data_; }

private:
    template <std::integral Number> static Data widened(Number number) {
        if constexpr (std::signed_integral<Number>) return static_cast<std::int64_t>(number);
        else return static_cast<std::uint64_t>(number);
    }
    Data data_;
};

struct Field {
    std::string_view key;
    Value value;
};
using Fields = std::initializer_list<Field>;

/// Where in the source a line is written. (std::source_location is not there in clang 14.)
struct Location {
    const char* file;
    int line;
    static constexpr Location here(const char* file = __builtin_FILE(),
                                   int line = __builtin_LINE()) {
        return {file, line};
    }
};

// All of these may be called from any thread, before configure() too (text, verbosity 0).
//   log::error("Failed to add a virtual server", {{"virtualServer", key}, {"err",
//   code.message()}});
void error(std::string_view message, Fields fields = {}, Location where = Location::here());
void warning(std::string_view message, Fields fields = {}, Location where = Location::here());
void info(std::string_view message, Fields fields = {}, Location where = Location::here());
/// Written when the verbosity, or a vmodule pattern for the file, is at least `level`.
void verbose(int level, std::string_view message, Fields fields = {},
             Location where = Location::here());
/// As verbose(), but in the text form the line stands as it is, without quotes: for lines that
/// others look for, such as `FLAG: --name="value"`.
void plain(int level, std::string_view line, Location where = Location::here());
/// Whether verbose(level, …) would write: asked first where the fields are costly.
bool enabled(int level, Location where = Location::here());

enum class Format : std::uint8_t { text, json };
struct Pattern {
    std::string files; ///< of the source's name without its ending; of its path when it has a slash
    int verbosity{};
};
struct Settings {
    Format format{Format::text};
    int verbosity{};
    std::vector<Pattern> vmodule{}; ///< the first that fits decides
    bool split_stream{};            ///< errors to stderr, all else to stdout
};
void configure(Settings settings);
/// Changes the verbosity alone, as PUT /debug/flags/v does.
void set_verbosity(int verbosity);
int verbosity() noexcept;

} // namespace ipvsproxy::log

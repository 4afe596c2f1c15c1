#include "proxy/config/command_line.h"

#include <algorithm>

#include "proxy/config/flag_table.h"
#include "proxy/config/texts.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

class Reader {
public:
    explicit Reader(std::span<const std::string> words) : rest_{words} {}

    Result<CommandLine> read() {
        while (!rest_.empty() && problem_.empty())
            take(next());
        if (!problem_.empty()) return Problem{problem_};
        return std::move(line_);
    }

private:
    std::string next() {
        auto word = rest_.front();
        rest_ = rest_.subspan(1);
        return word;
    }

    void take(const std::string& word) {
        if (word == "--") {
            line_.operands.insert(line_.operands.end(), rest_.begin(), rest_.end());
            rest_ = {};
        } else if (word.starts_with("--")) {
            take_long(word);
        } else if (word.starts_with('-') && word.size() > 1) {
            take_short(word);
        } else {
            line_.operands.push_back(word);
        }
    }

    void take_long(const std::string& word) {
        const auto equals = std::min(word.find('='), word.size());
        auto name = word.substr(2, equals - 2);
        if (name.empty() || name.front() == '-') {
            problem_ = "bad flag syntax: " + word;
            return;
        }
        std::ranges::replace(name, '_', '-');
        if (equals < word.size()) give(name, word.substr(equals + 1));
        else if (is_bool(name)) give(name, "true");
        else if (find_flag(name) == nullptr) problem_ = "unknown flag: --" + name;
        else if (rest_.empty()) problem_ = "flag needs an argument: --" + name;
        else give(name, next());
    }

    /// -h and -v are all there is.
    void take_short(const std::string& word) {
        auto letters = std::string_view{word}.substr(1);
        while (letters.starts_with('h')) {
            line_.help = true;
            letters.remove_prefix(1);
        }
        if (letters.empty()) return;
        if (!letters.starts_with('v')) {
            problem_ =
                "unknown shorthand flag: '" + std::string{letters.substr(0, 1)} + "' in " + word;
            return;
        }
        letters.remove_prefix(1);
        if (letters.starts_with('=')) give("v", std::string{letters.substr(1)});
        else if (!letters.empty()) give("v", std::string{letters});
        else if (rest_.empty()) problem_ = "flag needs an argument: 'v' in " + word;
        else give("v", next());
    }

    static bool is_bool(std::string_view name) {
        const auto* const flag = find_flag(name);
        return name == "help" || (flag != nullptr && flag->type == "bool");
    }

    void give(const std::string& name, const std::string& value) {
        if (name == "help") {
            line_.help = parse_bool(value).value_or(true);
            return;
        }
        const auto* const flag = find_flag(name);
        if (flag == nullptr) {
            problem_ = "unknown flag: --" + name;
            return;
        }
        problem_ = refusal(*flag, value);
        line_.flags.given[name].push_back(value);
    }

    std::span<const std::string> rest_;
    CommandLine line_;
    std::string problem_;
};

/// `text` broken into lines, each but the first behind `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
    std::string out;
    std::size_t column = indent;
    for (const auto& word : split(text, ' ')) {
        if (column > indent && column + 1 + word.size() > width) {
            out.append(1, '\n').append(indent, ' ');
            column = indent;
        } else if (!out.empty()) {
            out += ' ';
            ++column;
        }
        out += word;
        column += word.size();
    }
    return out;
}

/// `--ipvs-scheduler string`, as long as the flag's line is.
std::string head(const Flag& flag) {
    std::string text = flag.name == "v" ? "  -v, --v" : "      --" + std::string{flag.name};
    if (flag.type != "bool") text.append(1, ' ').append(flag.type);
    return text;
}

std::string told(const Flag& flag) {
    std::string text{flag.help};
    if (!flag.deprecated.empty())
        text.append(" (deprecated: use ").append(flag.deprecated).append(1, ')');
    const bool off = flag.type == "bool" && flag.standard == "false";
    if (!flag.standard.empty() && !off)
        text.append(" (default ").append(flag.standard).append(1, ')');
    return text;
}

} // namespace

Result<CommandLine> read_command_line(std::span<const std::string> words) {
    return Reader{words}.read();
}

std::string flags_help(std::size_t width) {
    constexpr std::size_t indent = 38; // a longer head has a line of its own
    std::string out;
    const auto add = [&](std::string line, std::string_view words) {
        if (line.size() + 2 > indent) line.append(1, '\n').append(indent, ' ');
        else line.resize(indent, ' ');
        out += line + wrapped(words, indent, width) + '\n';
    };
    for (const auto group : groups) {
        out.append(out.empty() ? "" : "\n").append(name(group)).append(":\n");
        for (const auto& flag : flag_table())
            if (flag.group == group) add(head(flag), told(flag));
        if (group == Group::task) add("  -h, --help", "Print this and exit");
    }
    return out;
}

} // namespace ipvsproxy::config

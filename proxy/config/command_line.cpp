#include "proxy/config/command_line.h"

#include <algorithm>

#include "proxy/config/flag_table.h"
#include "proxy/config/flag_types.h"
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
        const auto typed = word.substr(2, equals - 2);
        if (typed.empty() || typed.front() == '-') {
            problem_ = "bad flag syntax: " + word;
            return;
        }
        auto name = typed;
        std::ranges::replace(name, '_', '-');
        if (name != "help" && find_flag(name) == nullptr) problem_ = "unknown flag: --" + typed;
        else if (equals < word.size()) give(name, word.substr(equals + 1));
        else if (is_switch(name)) give(name, "true");
        else if (rest_.empty()) problem_ = "flag needs an argument: --" + typed;
        else give(name, next());
    }

    /// Letters together, the last of them with a value perhaps: -h, -v4, -hv=4.
    void take_short(const std::string& word) {
        auto letters = std::string_view{word}.substr(1);
        while (!letters.empty() && problem_.empty()) {
            const auto all = "-" + std::string{letters};
            const std::string name = letters[0] == 'h' ? "help" : "v";
            if (letters[0] != 'h' && letters[0] != 'v') {
                problem_ = "unknown shorthand flag: " + quoted_letter(letters) + " in " + all;
                return;
            }
            const auto behind = letters.substr(1);
            letters = {};
            if (behind.size() > 1 && behind[0] == '=') {
                give(name, std::string{behind.substr(1)});
            } else if (is_switch(name)) {
                give(name, "true");
                letters = behind;
            } else if (!behind.empty()) {
                give(name, std::string{behind});
            } else if (rest_.empty()) {
                problem_ = "flag needs an argument: 'v' in " + all;
            } else {
                give(name, next());
            }
        }
    }

    /// One byte, as Go prints it that looks at bytes.
    static std::string quoted_letter(std::string_view letters) {
        const auto quoted = log::quoted(letters.substr(0, 1));
        return '\'' + quoted.substr(1, quoted.size() - 2) + '\'';
    }

    static bool is_switch(std::string_view name) {
        return name == "help" || find_flag(name)->type == "bool";
    }

    /// @param name of a flag that is there
    void give(const std::string& name, const std::string& value) {
        if (name == "help") {
            const auto reason = config::read(value, line_.help);
            if (!reason.empty()) problem_ = refusal("-h, --help", value, reason);
            return;
        }
        problem_ = refusal(*find_flag(name), value);
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

std::string flags_help(const HelpShape& shape) {
    constexpr std::size_t indent = 38; // a longer head has a line of its own
    std::string out;
    const auto add = [&](std::string line, std::string_view words) {
        if (line.size() + 2 > indent) line.append(1, '\n').append(indent, ' ');
        else line.resize(indent, ' ');
        out += line + wrapped(words, indent, shape.width) + '\n';
    };
    for (const auto group : groups) {
        out.append(out.empty() ? "" : "\n").append(name(group)).append(":\n");
        for (const auto& flag : flag_table())
            if (flag.group == group && (shape.tasks || !is_task(flag))) add(head(flag), told(flag));
        if (group == Group::task && shape.help) add("  -h, --help", "Print this and exit");
    }
    return out;
}

} // namespace ipvsproxy::config

#include "proxy/iptables/nft_tables.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>

#include "proxy/iptables/save_text.h"
#include "proxy/iptables/table_edit.h"
#include "proxy/iptables/tool.h"

namespace ipvsproxy::iptables {

namespace {

std::string tool(Family family, std::string_view verb) {
    return (family == Family::v4 ? "iptables-nft-" : "ip6tables-nft-") + std::string(verb);
}

/// run_tool(), with the remedy in the error when the program is missing.
ToolOutput run(const std::vector<std::string>& words, std::string_view input) {
    try {
        return run_tool(words, input);
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::no_such_file_or_directory) throw;
        throw std::system_error(error.code(),
                                words.front() + " is not in PATH; install the package iptables");
    }
}

/// Printed text as one line, without the empty ones and the tool's greeting.
std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        if (c != '\n') line += c;
        else if (!line.empty() && !line.ends_with(' ')) line += ' ';
    }
    while (line.ends_with(' '))
        line.pop_back();
    return line;
}

std::error_code error_named(std::string_view text) {
    constexpr std::array known{ENOENT, EBUSY, EINVAL,  EPERM,  EEXIST,     ENOMEM,
                               EMLINK, ELOOP, ENOBUFS, EACCES, EOPNOTSUPP, ERESTART};
    for (const int number : known) {
        const std::error_code error(number, std::generic_category());
        if (text.find(error.message()) != std::string_view::npos) return error;
    }
    return {EIO, std::generic_category()};
}

std::string_view line_number(std::string_view text, std::size_t number) {
    for (std::size_t i = 1; !text.empty(); ++i) {
        const auto end = std::min(text.find('\n'), text.size());
        if (i == number) return text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return {};
}

} // namespace

RestoreFailure restore_failure(std::string_view printed, std::string_view input) {
    RestoreFailure failure{error_named(printed), one_line(printed)};
    if (printed.find("doesn't exist") != std::string_view::npos ||
        printed.find("does not exist") != std::string_view::npos)
        failure.error = make_error_code(std::errc::no_such_file_or_directory);
    // "line 7: RULE_APPEND failed", or for words not understood "Error occurred at line: 7"
    const auto at = printed.find("line");
    const auto digit = at == std::string_view::npos ? at : printed.find_first_of("0123456789", at);
    if (digit == std::string_view::npos || digit > at + 6) return failure;
    std::size_t number = 0;
    std::from_chars(printed.data() + digit, printed.data() + printed.size(), number);
    const auto line = line_number(input, number);
    if (!line.empty()) failure.reason.append("; that line: ").append(line);
    return failure;
}

Chains NftTables::read(TableName table) const {
    const auto save = tool(family_, "save");
    const auto output = run({save, "-t", std::string(name(table))}, {});
    if (output.status != 0)
        throw std::system_error(error_named(output.error), save + ": " + one_line(output.error));
    return parse_save(output.out);
}

Chains NftTables::snapshot() {
    Chains chains; // one by one: a fourth table that iptables cannot show does not matter here
    for (const TableName table : all_tables)
        chains.merge(read(table));
    return chains;
}

std::vector<TableRefusal> NftTables::apply(const TableChanges& changes) {
    std::vector<TableRefusal> refusals;
    for (const TableName table : all_tables) {
        if (named_chains(table, changes).empty()) continue;
        try {
            if (auto refusal = apply_to(table, changes)) refusals.push_back(*std::move(refusal));
        } catch (const std::system_error& error) {
            refusals.push_back({table, error.code(), error.what()});
        }
    }
    return refusals;
}

std::optional<TableRefusal> NftTables::apply_to(TableName table,
                                                const TableChanges& changes) const {
    const TableEdit edit = edit_for(table, read(table), changes);
    if (edit.changes.empty()) return std::nullopt;
    const auto restore = tool(family_, "restore");
    if (!writable(edit.changes))
        return TableRefusal{table, make_error_code(std::errc::invalid_argument),
                            restore + ": a rule or chain name that is not one line"};
    const std::string input = restore_text(table, edit.changes);
    const auto output = run({restore, "--noflush"}, input);
    if (output.status == 0) return std::nullopt;
    auto [error, reason] = restore_failure(output.error, input);
    return TableRefusal{table, error,
                        restore + " table " + std::string(name(table)) + ": " + reason};
}

} // namespace ipvsproxy::iptables

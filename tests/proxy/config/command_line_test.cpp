#include <catch2/catch.hpp>

#include "proxy/config/command_line.h"
#include "proxy/config/flag_table.h"

using namespace ipvsproxy::config;

namespace {

using Words = std::vector<std::string>;

CommandLine read(const Words& words) {
    const auto line = read_command_line(words);
    INFO((line ? "" : line.error().text));
    REQUIRE(line.has_value());
    return *line;
}

std::string problem(const Words& words) {
    const auto line = read_command_line(words);
    REQUIRE_FALSE(line.has_value());
    return line.error().text;
}

} // namespace

TEST_CASE("a flag's value stands behind an equals sign, or is the next word", "[config]") {
    CHECK(read({"--config=/a=b"}).flags.last("config") == "/a=b");
    CHECK(read({"--config", "/a"}).flags.last("config") == "/a");
    CHECK(read({"--oom-score-adj", "-998"}).flags.last("oom-score-adj") == "-998");
    CHECK(read({"--config="}).flags.has("config"));
    CHECK(read({"--config="}).flags.last("config").empty());
    CHECK(read({"--config", "--cleanup"}).flags.last("config") == "--cleanup");
}

TEST_CASE("a switch takes no word, only what stands behind an equals sign", "[config]") {
    const auto line = read({"--cleanup", "false"});
    CHECK(line.flags.is_on("cleanup"));
    CHECK(line.operands == Words{"false"});
    CHECK_FALSE(read({"--cleanup=false"}).flags.is_on("cleanup"));
    CHECK(read({"--version=raw"}).flags.last("version") == "raw");
    CHECK(read({"--version"}).flags.is_on("version"));
    CHECK_FALSE(read({"--version=false"}).flags.is_on("version"));
}

TEST_CASE("an underscore in a flag's name is a dash; in its value it is itself", "[config]") {
    CHECK(read({"--hostname_override=a_b"}).flags.last("hostname-override") == "a_b");
    CHECK(read({"--ipvs_scheduler", "a_b"}).flags.last("ipvs-scheduler") == "a_b");
}

TEST_CASE("the verbosity has a letter", "[config]") {
    for (const auto& words : {Words{"-v=4"}, Words{"-v", "4"}, Words{"-v4"}, Words{"--v=4"}}) {
        CAPTURE(words);
        CHECK(read(words).flags.last("v") == "4");
    }
}

TEST_CASE("help is asked for in three ways", "[config]") {
    CHECK(read({"--help"}).help);
    CHECK(read({"-h"}).help);
    CHECK(read({"-hv4"}).flags.last("v") == "4");
    CHECK_FALSE(read({"--help=false"}).help);
    CHECK_FALSE(read({}).help);
}

TEST_CASE("what is no flag is an operand, and all that stands behind two dashes", "[config]") {
    CHECK(read({"a", "-", "--", "--config=x", "-v"}).operands ==
          Words{"a", "-", "--config=x", "-v"});
    CHECK_FALSE(read({"--", "--config=x"}).flags.has("config"));
}

TEST_CASE("a line that cannot be read is refused in pflag's words", "[config]") {
    CHECK(problem({"--color"}) == "unknown flag: --color");
    CHECK(problem({"--color=red"}) == "unknown flag: --color");
    CHECK(problem({"--=x"}) == "bad flag syntax: --=x");
    CHECK(problem({"---config"}) == "bad flag syntax: ---config");
    CHECK(problem({"-x"}) == "unknown shorthand flag: 'x' in -x");
    CHECK(problem({"-hx"}) == "unknown shorthand flag: 'x' in -x");
    CHECK(problem({"--no_such_flag=1"}) == "unknown flag: --no_such_flag"); // as it was typed
    CHECK(problem({"--hostname_override"}) == "flag needs an argument: --hostname_override");
    CHECK(problem({"--config"}) == "flag needs an argument: --config");
    CHECK(problem({"-v"}) == "flag needs an argument: 'v' in -v");
}

TEST_CASE("a value of another type is refused with its flag, and the words of Go", "[config]") {
    CHECK(
        problem({"--ipvs-sync-period=soon"}) ==
        R"(invalid argument "soon" for "--ipvs-sync-period" flag: time: invalid duration "soon")");
    CHECK(
        problem({"--ipvs-sync-period", "30"}) ==
        R"(invalid argument "30" for "--ipvs-sync-period" flag: time: missing unit in duration "30")");
    CHECK(
        problem({"--cleanup=maybe"}) ==
        R"(invalid argument "maybe" for "--cleanup" flag: strconv.ParseBool: parsing "maybe": invalid syntax)");
    CHECK(
        problem({"-v=x"}) ==
        R"(invalid argument "x" for "-v, --v" flag: strconv.ParseUint: parsing "x": invalid syntax)");
    CHECK(problem({"--bind-address=host"}) ==
          R"(invalid argument "host" for "--bind-address" flag: "host" is not a valid IP address)");
    CHECK(
        problem({"--ipvs-tcp-timeout", "1d"}) ==
        R"(invalid argument "1d" for "--ipvs-tcp-timeout" flag: time: unknown unit "d" in duration "1d")");
    CHECK(
        problem({"--version=1.36"}) ==
        R"(invalid argument "1.36" for "--version" flag: strconv.ParseBool: parsing "1.36": invalid syntax)");
}

TEST_CASE("help and the verbosity by letter are judged like any flag", "[config]") {
    CHECK_FALSE(read({"-h=false"}).help);
    CHECK(read({"-hv=4"}).flags.last("v") == "4");
    CHECK(
        problem({"--help=maybe"}) ==
        R"(invalid argument "maybe" for "-h, --help" flag: strconv.ParseBool: parsing "maybe": invalid syntax)");
    CHECK(
        problem({"-v="}) ==
        R"(invalid argument "=" for "-v, --v" flag: strconv.ParseUint: parsing "=": invalid syntax)");
    CHECK(problem({"-hv"}) == "flag needs an argument: 'v' in -v");
}

TEST_CASE("the help names every flag once, in its group", "[config]") {
    const auto text = flags_help();
    std::size_t last_group = 0;
    for (const auto group : groups) {
        const auto at = text.find(std::string{name(group)} + ":\n");
        CAPTURE(name(group));
        REQUIRE(at != std::string::npos);
        CHECK(at >= last_group);
        last_group = at;
    }
    for (const auto& flag : flag_table()) {
        const auto dashed = "--" + std::string{flag.name} + ' ';
        CAPTURE(dashed);
        const auto at = text.find("  " + dashed) == std::string::npos ? text.find(", " + dashed)
                                                                      : text.find("  " + dashed);
        REQUIRE(at != std::string::npos);
        const auto heading = text.find(std::string{name(flag.group)} + ":\n");
        const auto next_heading = text.find("\n\n", heading);
        CHECK((heading < at && at < next_heading));
    }
}

TEST_CASE("the help keeps to its width", "[config]") {
    for (const std::size_t width : {85U, 100U, 120U}) {
        std::size_t start = 0;
        const auto text = flags_help({.width = width});
        for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
            CAPTURE(text.substr(start, end - start));
            CHECK(end - start <= width);
            start = end + 1;
        }
    }
}

// What a life asks of its process, with a file in place of the kernel's.
#include "proxy/run/process.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace ipvsproxy::run {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

struct Folder {
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    fs::path path{fs::temp_directory_path() / ("ipvsproxy-process-" + std::to_string(getpid()))};
};

std::string text(const fs::path& file) {
    std::ifstream in{file};
    return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

TEST_CASE("the OOM score is written where it differs", "[run]") {
    const Folder folder;
    const auto file = folder.path / "oom_score_adj";
    asio::io_context io;
    std::ofstream{file} << "0\n";
    asio::co_spawn(io, set_oom_score(-999, file), asio::detached);
    io.run();
    CHECK(text(file) == "-999");
    std::ofstream{file} << "-999 as it was\n"; // whoever wrote it would leave nothing else
    asio::co_spawn(io, set_oom_score(-999, file), asio::detached);
    io.restart();
    io.run();
    CHECK(text(file) == "-999 as it was\n");
}

TEST_CASE("an OOM score that cannot be written is tried twice", "[run]") {
    const Folder folder;
    const auto later = folder.path / "later";
    asio::io_context io;
    asio::co_spawn(io, set_oom_score(-998, later / "oom_score_adj"), asio::detached);
    SECTION("and the second try counts") {
        io.poll();
        fs::create_directories(later);
        io.run();
        CHECK(text(later / "oom_score_adj") == "-998");
    }
    SECTION("and no more") {
        io.run(); // comes to its end
        CHECK(io.stopped());
        fs::create_directories(later);
        io.restart();
        CHECK(io.poll() == 0);
        CHECK(fs::is_empty(later));
    }
}

} // namespace ipvsproxy::run

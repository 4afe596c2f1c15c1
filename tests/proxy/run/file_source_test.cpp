#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "proxy/run/file_source.h"
#include "tests/proxy/files/folder.h"

namespace ipvsproxy::run {
namespace {

using files::Folder;
using files::service_yaml;

const model::ObjectName web{"default", "web"};

/// Counts what it is told, and ends the loop at every change.
struct Told final : Listener {
    boost::asio::io_context io{};
    int changes{}, completions{};
    void changed() override {
        ++changes;
        io.stop();
    }
    void complete() override { ++completions; }

    /// Lets the source run until it tells of a change, or for as long as nothing can be expected.
    void wait_for_change() {
        io.restart();
        io.run_for(std::chrono::seconds{10});
    }
};

TEST_CASE("what is in the files is there before the source is followed") {
    const Folder folder;
    folder.write("web.yaml", service_yaml("web", "10.96.0.1"));
    FileSource source{{{folder.path()}, false}};
    CHECK(source.store().service(web) != nullptr);
}

TEST_CASE("a change of a file is told once it is in the store") {
    const Folder folder;
    FileSource source{{{folder.path()}, false}};
    Told told;
    boost::asio::co_spawn(told.io, source.follow(told), boost::asio::detached);
    told.io.poll();
    CHECK(told.completions == 1);
    CHECK(told.changes == 0);
    folder.write("web.yaml", service_yaml("web", "10.96.0.1"));
    told.wait_for_change();
    CHECK(told.changes == 1);
    CHECK(source.store().service(web) != nullptr);
}

TEST_CASE("input is complete only when every file was read once, and stays so") {
    const Folder folder;
    folder.write("web.yaml", "}{");
    FileSource source{{{folder.path()}, false}};
    Told told;
    boost::asio::co_spawn(told.io, source.follow(told), boost::asio::detached);
    told.io.poll();
    CHECK(told.completions == 0);
    source.read_again(told);
    CHECK(told.completions == 0);
    CHECK(told.changes == 0); // nothing that anything could be begun with
    folder.write("web.yaml", service_yaml("web", "10.96.0.1"));
    told.wait_for_change();
    CHECK(told.completions == 1);
    CHECK(told.changes == 1);
    folder.write("web.yaml", "}{");
    source.read_again(told);
    CHECK(told.completions == 2);
    CHECK(source.store().service(web) != nullptr);
}

TEST_CASE("a source is followed by one life after the other") {
    const Folder folder;
    folder.write("web.yaml", service_yaml("web", "10.96.0.1"));
    FileSource source{{{folder.path()}, false}};
    for (int life = 0; life < 2; ++life) {
        Told told;
        boost::asio::co_spawn(told.io, source.follow(told), boost::asio::detached);
        told.io.poll();
        CHECK(told.completions == 1);
        folder.write("web.yaml", service_yaml("web", "10.96.0." + std::to_string(life + 2)));
        told.wait_for_change();
        CHECK(told.changes == 1);
    }
}

} // namespace
} // namespace ipvsproxy::run

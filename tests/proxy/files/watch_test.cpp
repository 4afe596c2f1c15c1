#include <catch2/catch.hpp>
#include <fcntl.h>
#include <poll.h>

#include "proxy/files/source.h"
#include "proxy/files/watch.h"
#include "tests/proxy/files/folder.h"

using namespace ipvsproxy;
using namespace ipvsproxy::files;

namespace {

const model::ObjectName web{"default", "web"};
const std::string one = service_yaml("web", "10.96.0.1");
const std::string two = service_yaml("web", "10.96.0.2");

/// A source that follows its watch, as the daemon does.
struct Following {
    Where where;
    model::Store store{};
    std::vector<std::string> said{};
    Watch watch{where};
    Source source{where, store, [this](const Message& message) { said.push_back(message.text); }};

    explicit Following(std::vector<std::string> paths, bool recursive = false)
        : where{std::move(paths), recursive} {
        source.read_all();
    }
    /// inotify queues an event before the call that caused it returns: nothing to wait for.
    bool readable() const {
        pollfd ready{watch.fd(), POLLIN, 0};
        return ::poll(&ready, 1, 0) == 1;
    }
    Changed follow() {
        Changed all;
        while (readable()) { // watching anew lets go of old watches, which is an event too
            auto changed = watch.read();
            all.everything = all.everything || changed.everything;
            if (changed.any()) source.refresh(changed);
            all.paths.merge(changed.paths);
        }
        return all;
    }
    std::string address() {
        follow();
        const auto* service = store.service(web);
        return service == nullptr ? "none" : service->cluster_ip.v4.value().text();
    }
};

} // namespace

TEST_CASE("a quiet folder says nothing", "[files]") {
    const Folder folder;
    folder.write("a.yaml", one);
    Following following{{folder.path()}};
    // Other programs' files in the folders on the way wake the watch, and are passed over.
    CHECK_FALSE(following.watch.read().any());
    CHECK(following.watch.complete());
    CHECK(following.address() == "10.96.0.1");
}

TEST_CASE("files that are written, replaced, moved and removed are noticed by name", "[files]") {
    const Folder folder;
    Following following{{folder.path()}};
    const Changed file{.everything = false, .paths = {folder.path("a.yaml")}};
    folder.write("a.yaml", one);
    CHECK(following.follow() == file);
    CHECK(following.address() == "10.96.0.1");
    folder.replace("a.yaml", two);
    CHECK(following.follow() == file);
    CHECK(following.address() == "10.96.0.2");
    folder.rename("a.yaml", "a.txt");
    CHECK(following.follow() == file);
    CHECK(following.address() == "none");
    folder.rename("a.txt", "a.yaml");
    CHECK(following.follow() == file);
    folder.remove("a.yaml");
    CHECK(following.follow() == file);
    CHECK(following.address() == "none");
    folder.write("b.txt", one);
    folder.write(".c.yaml", one);
    CHECK_FALSE(following.follow().any());
}

TEST_CASE("a file is not noticed before it is closed", "[files]") {
    const Folder folder;
    Following following{{folder.path()}};
    {
        std::ofstream out{folder.path("a.yaml")};
        out << one.substr(0, one.size() / 2) << std::flush;
        CHECK_FALSE(following.follow().any());
        out << one.substr(one.size() / 2);
    }
    CHECK(following.address() == "10.96.0.1");
    CHECK(following.said.empty());
}

TEST_CASE("a file given by name is followed when it is replaced, removed and made again",
          "[files]") {
    const Folder folder;
    folder.write("a.yaml", one);
    folder.write("other.yaml", service_yaml("api", "10.96.0.9"));
    Following following{{folder.path("a.yaml")}};
    CHECK(following.address() == "10.96.0.1");
    folder.replace("a.yaml", two);
    CHECK(following.follow() == Changed{.everything = false, .paths = {folder.path("a.yaml")}});
    CHECK(following.address() == "10.96.0.2");
    folder.write("a.yaml", one);
    CHECK(following.address() == "10.96.0.1");
    folder.write("other.yaml", one);
    CHECK_FALSE(following.follow().any());
    folder.remove("a.yaml");
    CHECK(following.address() == "none");
    folder.write("a.yaml", two);
    CHECK(following.address() == "10.96.0.2");
}

TEST_CASE("a relative path is followed", "[files]") {
    const Folder folder;
    folder.write("a.yaml", one);
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    {
        Following following{{"a.yaml"}};
        folder.replace("a.yaml", two);
        CHECK(following.follow() == Changed{.everything = false, .paths = {"a.yaml"}});
        CHECK(following.address() == "10.96.0.2");
        Following whole{{"./"}};
        folder.replace("a.yaml", one);
        CHECK(whole.address() == "10.96.0.1");
    }
    std::filesystem::current_path(before);
}

TEST_CASE("a ConfigMap's swapped link is noticed, in its folder and by the file's name",
          "[files]") {
    const Folder folder;
    // As kubelet lays it out: a.yaml -> ..data/a.yaml, ..data -> ..1
    folder.make("..1");
    folder.write("..1/a.yaml", one);
    folder.link("..1", "..data");
    folder.link("..data/a.yaml", "a.yaml");
    Following of_folder{{folder.path()}, true};
    Following of_file{{folder.path("a.yaml")}};
    CHECK(of_folder.source.files().size() == 1);
    const auto swap = [&](const std::string& version, const std::string& text) {
        folder.make(version);
        folder.write(version + "/a.yaml", text);
        folder.link(version, "..data_tmp");
        folder.rename("..data_tmp", "..data");
    };
    swap("..2", two);
    folder.remove("..1");
    CHECK(of_folder.address() == "10.96.0.2");
    CHECK(of_file.address() == "10.96.0.2");
    swap("..3", one);
    CHECK(of_folder.address() == "10.96.0.1");
    CHECK(of_file.address() == "10.96.0.1");
    swap("..4", two); // without looking in between
    swap("..5", one);
    swap("..6", two);
    CHECK(of_folder.address() == "10.96.0.2");
    CHECK(of_file.address() == "10.96.0.2");
    CHECK(of_folder.said.empty());
    // a key that is new
    folder.write("..6/b.yaml", service_yaml("api", "10.96.0.9"));
    folder.link("..data/b.yaml", "b.yaml");
    of_folder.follow();
    CHECK(of_folder.store.service({"default", "api"}) != nullptr);
    CHECK(of_folder.watch.complete());
}

TEST_CASE("what a link points to is followed, in place and replaced", "[files]") {
    const Folder folder;
    folder.make("given");
    folder.make("real");
    folder.write("real/a.yaml", one);
    folder.link("../real/a.yaml", "given/a.yaml");
    Following following{{folder.path("given")}};
    CHECK(following.address() == "10.96.0.1");
    folder.write("real/a.yaml", two);
    CHECK(following.address() == "10.96.0.2");
    folder.replace("real/a.yaml", one);
    CHECK(following.address() == "10.96.0.1");
    folder.remove("real/a.yaml");
    CHECK(following.address() == "none");
    folder.write("real/a.yaml", two);
    CHECK(following.address() == "10.96.0.2");
    folder.link(folder.path("elsewhere"), "given/new");
    folder.rename("given/new", "given/a.yaml");
    CHECK(following.address() == "none");
    folder.write("elsewhere", one);
    CHECK(following.address() == "10.96.0.1");
}

TEST_CASE("folders that appear, go, and are swapped are followed", "[files]") {
    const Folder folder;
    Following following{{folder.path("x/y")}};
    CHECK(following.said.size() == 1);
    folder.make("x");
    CHECK(following.address() == "none");
    folder.make("x/y");
    following.follow();
    folder.write("x/y/a.yaml", one);
    CHECK(following.address() == "10.96.0.1");
    folder.make("z/y");
    folder.write("z/y/a.yaml", two);
    folder.rename("x", "old"); // the folder above is swapped
    folder.rename("z", "x");
    CHECK(following.address() == "10.96.0.2");
    folder.write("old/y/a.yaml", one);
    CHECK(following.address() == "10.96.0.2");
    folder.remove("x/y");
    CHECK(following.address() == "none");
    folder.make("x/y");
    folder.write("x/y/a.yaml", one); // written before anybody looks
    CHECK(following.address() == "10.96.0.1");
    folder.remove("x");
    CHECK(following.address() == "none");
    folder.make("x/y");
    folder.write("x/y/a.yaml", two);
    CHECK(following.address() == "10.96.0.2");
}

TEST_CASE("new subfolders are followed when asked for", "[files]") {
    const Folder folder;
    Following deep{{folder.path()}, true};
    Following flat{{folder.path()}, false};
    folder.make("a/b");
    folder.write("a/b/c.yaml", one);
    CHECK(deep.address() == "10.96.0.1");
    folder.write("a/b/c.yaml", two);
    CHECK(deep.follow() == Changed{.everything = false, .paths = {folder.path("a/b/c.yaml")}});
    CHECK(deep.address() == "10.96.0.2");
    folder.rename("a/b", "a/.hidden");
    CHECK(deep.address() == "none");
    CHECK(flat.address() == "none");
    CHECK_FALSE(flat.follow().any());
}

TEST_CASE("a link to a folder can be given and turned", "[files]") {
    const Folder folder;
    folder.make("v1");
    folder.make("v2");
    folder.write("v1/a.yaml", one);
    folder.write("v2/a.yaml", two);
    folder.link("v1", "current");
    Following following{{folder.path("current")}};
    CHECK(following.address() == "10.96.0.1");
    folder.link("v2", "next");
    folder.rename("next", "current");
    CHECK(following.address() == "10.96.0.2");
    folder.replace("v2/a.yaml", one);
    CHECK(following.address() == "10.96.0.1");
}

TEST_CASE("more events than the kernel keeps make everything looked at again", "[files]") {
    const Folder folder;
    folder.write("a.yaml", one);
    Following following{{folder.path()}};
    std::size_t kept{};
    std::ifstream{"/proc/sys/fs/inotify/max_queued_events"} >> kept;
    REQUIRE(kept > 0);
    for (std::size_t events = 0; events < kept; events += 4) { // a rename is two
        folder.rename("a.yaml", "b.yaml");
        folder.rename("b.yaml", "a.yaml");
    }
    folder.write("z.yaml", two); // of this there is no event any more
    CHECK(following.follow().everything);
    CHECK(following.address() == "10.96.0.2");
    folder.replace("z.yaml", one);
    CHECK(following.address() == "10.96.0.1");
}

TEST_CASE("links in a circle end", "[files]") {
    const Folder folder;
    folder.link("b.yaml", "a.yaml");
    folder.link("a.yaml", "b.yaml");
    Following of_folder{{folder.path()}};
    Following of_file{{folder.path("a.yaml")}};
    CHECK(of_folder.said.empty());
    CHECK(of_file.said.size() == 1);
    folder.replace("a.yaml", one);
    CHECK(of_folder.address() == "10.96.0.1");
    CHECK(of_file.address() == "10.96.0.1");
}

TEST_CASE("standard input is not watched", "[files]") {
    const Watch watch{{.paths = {"-"}}};
    CHECK(watch.complete());
}

#include "proxy/log/log.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <thread>
#include <unistd.h>

using namespace ipvsproxy::log;

namespace {

/// What a descriptor is sent while this lives.
class Captured {
public:
    explicit Captured(int descriptor) : descriptor_{descriptor}, saved_{dup(descriptor)} {
        dup2(fileno(file_), descriptor_);
    }
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;
    ~Captured() {
        dup2(saved_, descriptor_);
        close(saved_);
        static_cast<void>(std::fclose(file_));
        configure({});
    }
    std::string text() {
        std::string all;
        std::rewind(file_);
        for (int c = 0; (c = std::fgetc(file_)) != EOF;)
            all += static_cast<char>(c);
        return all;
    }

private:
    std::FILE* file_{std::tmpfile()};
    int descriptor_, saved_;
};

} // namespace

TEST_CASE("lines go to stderr, and name the place that wrote them", "[log]") {
    Captured captured{STDERR_FILENO};
    error("broken", {{"err", "EBUSY"}});
    CHECK_THAT(captured.text(), Catch::Contains(" log_test.cpp:") &&
                                    Catch::EndsWith("] \"broken\" err=\"EBUSY\"\n"));
}

TEST_CASE("the verbosity decides which lines are written", "[log]") {
    Captured captured{STDERR_FILENO};
    verbose(1, "too much");
    CHECK(captured.text().empty());
    configure({.verbosity = 2});
    verbose(2, "enough");
    verbose(3, "too much");
    CHECK_THAT(captured.text(), Catch::Contains("enough") && !Catch::Contains("too much"));
    set_verbosity(3);
    CHECK(verbosity() == 3);
    CHECK(enabled(3));
    CHECK_FALSE(enabled(4));
}

TEST_CASE("a vmodule pattern raises the verbosity of its files only, the first that fits",
          "[log]") {
    Captured captured{STDERR_FILENO};
    configure({.vmodule = {{"other", 9}, {"log_te*", 5}, {"log_test", 7}}});
    CHECK(enabled(5));
    CHECK_FALSE(enabled(6));
    CHECK_FALSE(enabled(1, {"proxy/sync/loop.cpp", 1}));
}

TEST_CASE("JSON can be had instead", "[log]") {
    Captured captured{STDERR_FILENO};
    configure({.format = Format::json});
    info("hello", {{"n", 1}});
    CHECK_THAT(captured.text(),
               Catch::StartsWith("{\"ts\":") && Catch::EndsWith("\"v\":0,\"n\":1}\n"));
}

TEST_CASE("split streams leave only errors on stderr", "[log]") {
    Captured errors{STDERR_FILENO};
    Captured rest{STDOUT_FILENO};
    configure({.split_stream = true});
    error("bad");
    info("good");
    const auto on_stdout = rest.text();
    CHECK_THAT(errors.text(), Catch::Contains("bad") && !Catch::Contains("good"));
    CHECK_THAT(on_stdout, Catch::Contains("good") && !Catch::Contains("bad"));
}

TEST_CASE("lines of many threads stay whole", "[log]") {
    Captured captured{STDERR_FILENO};
    constexpr int each = 200;
    constexpr std::size_t all = 4UL * each;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([t] {
            for (int i = 0; i < each; ++i)
                info("line", {{"thread", t}, {"end", "here"}});
        });
    for (auto& thread : threads)
        thread.join();
    const auto text = captured.text();
    CHECK(static_cast<std::size_t>(std::ranges::count(text, '\n')) == all);
    std::size_t whole = 0;
    for (auto at = text.find(" end=\"here\"\n"); at != std::string::npos;
         at = text.find(" end=\"here\"\n", at + 1))
        ++whole;
    CHECK(whole == all);
}

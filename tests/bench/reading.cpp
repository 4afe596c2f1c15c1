// Reading alone, without a kernel: a list of slices in JSON or protobuf, of Services in protobuf,
// or a manifest. For a clock on a real machine (`taskset -c 1 …/reading list 20000x6 20`), and for
// callgrind. See README.md.
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>

#include "proxy/files/source.h"
#include "tests/bench/child.h"
#include "tests/bench/lists.h"
#include "tests/bench/workload.h"

using namespace ipvsproxy;

namespace {

double user_ms() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec) * 1e3 +
           static_cast<double>(usage.ru_utime.tv_usec) / 1e3;
}

// Functions of their own: callgrind's inclusive costs are theirs.

api::Receiver into(model::Store& store) {
    return [&store](api::Decoded&& decoded) {
        store.put(std::get<model::EndpointSlice>(std::move(*decoded.object)));
    };
}

[[gnu::noinline]] void read_list(const std::string& file, model::Store& store) {
    api::JsonDecoder decoder{into(store)};
    bench::feed_file(file, decoder);
}

[[gnu::noinline]] void read_protobuf_slices(const std::string& file, model::Store& store) {
    bench::take_list(store, api::Replica::Kind::slice, file);
}
[[gnu::noinline]] void read_protobuf_services(const std::string& file, model::Store& store) {
    bench::take_list(store, api::Replica::Kind::service, file);
}

[[gnu::noinline]] void read_manifest(const std::string& file, model::Store& store) {
    files::Source source{{{file}, false}, store, [](const files::Message& message) {
                             throw std::runtime_error{message.text};
                         }};
    source.read_all();
}

using Read = void (*)(const std::string&, model::Store&);

double mib(std::uint64_t kib) {
    return static_cast<double>(kib) / 1024;
}

/// What reading once adds to the process, at its highest and afterwards.
void report_memory(Read read, const std::string& file) {
    const auto before = bench::memory_of(bench::self).now_kib;
    model::Store store;
    read(file, store);
    const auto peak = bench::memory_of(bench::self).peak_kib - before;
    ::malloc_trim(0);
    const auto rest = bench::memory_of(bench::self).now_kib - before;
    std::printf("memory: %.1f MB at the peak, %.1f MB of it kept (%.2f)\n", mib(peak), mib(rest),
                static_cast<double>(peak) / static_cast<double>(rest));
}

void report_time(Read read, const std::string& file, std::size_t times) {
    const auto bytes = static_cast<double>(std::filesystem::file_size(file));
    double best = 1e9;
    for (std::size_t i = 0; i < times; ++i) {
        model::Store store;
        const auto begin = user_ms();
        read(file, store);
        best = std::min(best, user_ms() - begin);
    }
    std::printf("time: %.1f MB in %.1f ms of user CPU, the best of %zu: %.0f MB/s\n", bytes / 1e6,
                best, times, bytes / 1e3 / best);
}

void run(const std::string& what, const bench::Shape& shape, std::size_t times) {
    struct Kind {
        Read read;
        void (*write)(const bench::Shape&, const bench::Sink&);
    };
    const std::map<std::string, Kind> kinds{
        {"list", {read_list, bench::write_slice_list}},
        {"protobuf", {read_protobuf_slices, bench::write_protobuf_slices}},
        {"services", {read_protobuf_services, bench::write_protobuf_services}},
        {"manifest", {read_manifest, bench::write_manifest}},
    };
    if (!kinds.contains(what))
        throw std::invalid_argument{"none of list, protobuf, services, manifest: " + what};
    const auto [read, write] = kinds.at(what);
    const auto file = std::filesystem::temp_directory_path() /
                      ("reading-" + std::to_string(::getpid()) + ".json");
    bench::in_child([&] { // its memory is not ours
        std::ofstream out{file, std::ios::binary};
        write(shape, [&](std::string_view text) { out << text; });
    });
    bench::in_child([&] { report_memory(read, file); });
    report_time(read, file, times);
    std::filesystem::remove(file);
}

} // namespace

int main(int argc, char** argv) {
    try {
        const std::string times = argc > 3 ? argv[3] : "1";
        std::size_t count = 1;
        std::from_chars(times.data(), times.data() + times.size(), count);
        run(argc > 1 ? argv[1] : "list", bench::Shape::parse(argc > 2 ? argv[2] : "1000x5"), count);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "reading: %s\n", error.what());
        return 1;
    }
}

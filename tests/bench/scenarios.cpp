#include "tests/bench/scenarios.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "proxy/api/decode.h"
#include "tests/bench/child.h"
#include "tests/bench/lists.h"
#include "tests/bench/program.h"

namespace ipvsproxy::bench {
namespace {

constexpr std::size_t repeats = 21;
constexpr std::size_t many = 1000;

/// Far apart, so that neither our memory nor the kernel's is warm from the one before.
std::size_t spread(std::size_t number, std::size_t services) {
    return number * 7919 % services;
}

/// The cost in the middle of `repeats` changes, each of another service.
template <class Objects>
void repeat(Program& program, const char* scenario, const Objects& objects) {
    std::vector<Cost> costs;
    for (std::size_t i = 0; i < repeats; ++i)
        costs.push_back(program.take(objects(i)));
    report(program.shape(), scenario, "whole", median(costs));
}

void change_one_by_one(Program& program, const Shape& shape) {
    repeat(program, "one endpoint replaced", [&](std::size_t i) {
        return slices_json(shape, spread(i + 1, shape.services), i + 1).front();
    });
    repeat(program, "one endpoint added", [&](std::size_t i) {
        // A slice beside the others, which brings one endpoint more.
        auto slice =
            slices_json({shape.services, 1}, spread(i + 100, shape.services), 900 + i).front();
        return slice.replace(slice.find("-0000\""), 6, "-more\"");
    });
    repeat(program, "one service added", [&](std::size_t i) {
        const auto number = shape.services + i;
        auto objects = slices_json({shape.services + repeats, shape.endpoints}, number);
        objects.insert(objects.begin(), service_json(number));
        return list_json(objects);
    });
}

void change_many(Program& program, const Shape& shape) {
    const auto count = std::min(many, shape.services);
    std::vector<std::string> all;
    for (std::size_t i = 0; i < count; ++i)
        all.push_back(slices_json(shape, i * (shape.services / count), 800).front());
    report(program.shape(), "1000 endpoints replaced", "whole", program.take(list_json(all)));
}

/// A second process finds the node settled.
void adopt_and_change(const Setting& setting) {
    Program program{setting, "adoption"};
    if (program.changes() > 0) throw std::runtime_error{"adoption wrote to the kernel"};
    report(program.shape(), "full audit", "whole", program.audit());
    change_one_by_one(program, setting.shape);
    change_many(program, setting.shape);
    program.audit();
    report_value(program.shape(), "after all changes", "memory", "rest_kib",
                 static_cast<double>(memory_of(self).now_kib));
}

void report_usage(const Setting& setting, const char* scenario, const Usage& usage) {
    if (usage.status != 0) throw std::runtime_error{"ipvsproxy failed: " + usage.output};
    report(setting.shape.text(), scenario, "whole", usage.cost);
    report_value(setting.shape.text(), scenario, "memory", "peak_kib",
                 static_cast<double>(usage.peak_kib));
}

/// @param command of ipvsproxy
std::vector<std::string> command_line(const Setting& setting, const char* command) {
    std::vector<std::string> argv{setting.program, command, "-f", setting.manifest};
    for (const auto& [flag, values] : setting.flags.given)
        argv.push_back("--" + flag + '=' + values.front());
    return argv;
}

void watch_daemon(const Setting& setting) {
    constexpr std::chrono::seconds limit{300};
    const auto shape = setting.shape.text();
    const auto begin = monotonic_ns();
    Daemon daemon{command_line(setting, "run")};
    daemon.wait_for("The node is as the Services ask", limit);
    report(shape, "run: adoption", "whole",
           {.wall_ns = monotonic_ns() - begin, .cpu_ns = daemon.cpu_ns()});
    report_value(shape, "run: adoption", "memory", "peak_kib",
                 static_cast<double>(daemon.memory().peak_kib));
    if (setting.idle_seconds == 0) return;
    const auto cpu = daemon.cpu_ns();
    const auto wakeups = daemon.wakeups();
    std::this_thread::sleep_for(std::chrono::seconds{setting.idle_seconds});
    const double seconds = setting.idle_seconds;
    report_value(shape, "run: idle", "whole", "cpu_ns_per_s",
                 static_cast<double>(daemon.cpu_ns() - cpu) / seconds);
    report_value(shape, "run: idle", "whole", "wakeups_per_s",
                 static_cast<double>(daemon.wakeups() - wakeups) / seconds);
    report_value(shape, "run: idle", "memory", "rest_kib",
                 static_cast<double>(daemon.memory().now_kib));
}

/// @param decoder_of makes the decoder of a receiver
template <class DecoderOf> void decode_list(const Setting& setting, const std::string& scenario,
                                            const std::string& file, DecoderOf decoder_of) {
    const auto shape = setting.shape.text();
    model::Store store;
    const auto decoder =
        decoder_of([&](api::Decoded&& decoded) { put(store, std::move(decoded)); });
    const auto before = memory_of(self).now_kib;
    Meter meter;
    const auto bytes = feed_file(file, *decoder);
    report(shape, scenario, "whole", meter.lap());
    report_value(shape, scenario, "input", "bytes", static_cast<double>(bytes));
    const auto peak = memory_of(self).peak_kib - before;
    ::malloc_trim(0);
    report_value(shape, scenario, "memory", "peak_kib", static_cast<double>(peak));
    report_value(shape, scenario, "memory", "rest_kib",
                 static_cast<double>(memory_of(self).now_kib - before));
}

/// @param write_all of a workload's writers
template <class Write>
void write_file(const Setting& setting, const std::string& file, const Write& write_all) {
    std::ofstream out{file, std::ios::binary | std::ios::trunc};
    write_all(setting.shape, [&](std::string_view text) { out << text; });
}

} // namespace

void run_phases(const Setting& setting) {
    in_child([&] { Program{setting, "cold start"}; });
    in_child([&] { adopt_and_change(setting); });
}

void run_program(const Setting& setting) {
    report_usage(setting, "apply: cold start", run_child(command_line(setting, "apply")));
    report_usage(setting, "apply: adoption", run_child(command_line(setting, "apply")));
    watch_daemon(setting);
}

void run_api(const Setting& setting) {
    in_child([&] { // its memory is not ours
        write_file(setting, setting.service_list(), write_protobuf_services);
        write_file(setting, setting.slice_list(), write_protobuf_slices);
    });
    in_child([&] { Program{setting, "cold start, API lists", From::lists}; });
    in_child([&] {
        if (Program{setting, "adoption, API lists", From::lists}.changes() > 0)
            throw std::runtime_error{"adoption wrote to the kernel"};
    });
    ::unlink(setting.service_list().c_str());
    ::unlink(setting.slice_list().c_str());
}

void run_list(const Setting& setting) {
    const auto file = setting.folder + "/list";
    in_child([&] { write_file(setting, file, write_slice_list); });
    in_child([&] {
        decode_list(setting, "list of slices decoded", file, [](api::Receiver receiver) {
            return std::make_unique<api::JsonDecoder>(std::move(receiver));
        });
    });
    in_child([&] { write_file(setting, file, write_protobuf_slices); });
    in_child([&] {
        decode_list(setting, "list of slices decoded, protobuf", file, [](api::Receiver receiver) {
            return std::make_unique<api::ProtobufDecoder>(std::move(receiver),
                                                          api::ProtobufDecoder::Form::single);
        });
    });
    ::unlink(file.c_str());
}

} // namespace ipvsproxy::bench

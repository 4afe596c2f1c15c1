#include "proxy/log/log.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include "proxy/log/format.h"

namespace ipvsproxy::log {
namespace {

/// The destinations and the settings of the process's log.
class Output {
public:
    Output() {
        for (auto* logger : {&errors_, &rest_}) {
            logger->set_pattern("%v"); // the line is complete: spdlog brings it out, no more
            logger->set_level(spdlog::level::trace);
            logger->flush_on(spdlog::level::trace);
        }
    }

    void configure(Settings settings) {
        const std::lock_guard lock{mutex_};
        verbosity_ = settings.verbosity;
        any_pattern_ = !settings.vmodule.empty();
        settings_ = std::move(settings);
    }

    void verbosity(int value) noexcept { verbosity_ = value; }
    int verbosity() const noexcept { return verbosity_; }

    bool enabled(int level, Location where) {
        if (level <= verbosity_) return true;
        if (!any_pattern_) return false;
        const std::lock_guard lock{mutex_};
        const auto found = std::ranges::find_if(
            settings_.vmodule, [&](const Pattern& each) { return fits(each.files, where.file); });
        return found != settings_.vmodule.end() && level <= found->verbosity;
    }

    void write(Record record) {
        const std::lock_guard lock{mutex_};
        record.time = std::chrono::system_clock::now();
        const auto line = settings_.format == Format::text ? text_line(record) : json_line(record);
        auto& logger = settings_.split_stream && record.level != Level::error ? rest_ : errors_;
        logger.log(spdlog::level::info, spdlog::string_view_t{line});
    }

private:
    std::mutex mutex_; ///< of settings_; it also keeps the lines in the order of their times
    Settings settings_;
    std::atomic<int> verbosity_{0};
    std::atomic<bool> any_pattern_{false};
    spdlog::logger errors_{"", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
    spdlog::logger rest_{"", std::make_shared<spdlog::sinks::stdout_sink_mt>()};
};

Output& output() {
    // Never destroyed: threads and static destructors may log until the very end.
    static auto& the_output = *new Output; // NOLINT(cppcoreguidelines-owning-memory)
    return the_output;
}

void write(Level level, int verbosity, std::string_view message, Fields fields, Location where,
           bool plain = false) {
    output().write({.level = level,
                    .verbosity = verbosity,
                    .pid = getpid(),
                    .where = where,
                    .message = message,
                    .plain = plain,
                    .fields = {fields.begin(), fields.size()}});
}

} // namespace

void error(std::string_view message, Fields fields, Location where) {
    write(Level::error, 0, message, fields, where);
}

void warning(std::string_view message, Fields fields, Location where) {
    write(Level::warning, 0, message, fields, where);
}

void info(std::string_view message, Fields fields, Location where) {
    write(Level::info, 0, message, fields, where);
}

void verbose(int level, std::string_view message, Fields fields, Location where) {
    if (enabled(level, where)) write(Level::info, level, message, fields, where);
}

void plain(int level, std::string_view line, Location where) {
    if (enabled(level, where)) write(Level::info, level, line, {}, where, true);
}

bool enabled(int level, Location where) {
    return output().enabled(level, where);
}

void configure(Settings settings) {
    output().configure(std::move(settings));
}

void set_verbosity(int verbosity) {
    output().verbosity(verbosity);
}

int verbosity() noexcept {
    return output().verbosity();
}

} // namespace ipvsproxy::log

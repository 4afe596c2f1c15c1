#include "proxy/serve/process_metrics.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "proxy/config/version.h"

namespace ipvsproxy::serve {
namespace {

std::string beta(const std::string& help) {
    return "[BETA] " + help;
}

std::string file_text(const char* path) {
    const std::ifstream in{path};
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

double limit(int resource) {
    rlimit bounds{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &bounds) != 0) return 0;
    return bounds.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                            : static_cast<double>(bounds.rlim_cur);
}

/// InOctets and OutOctets of the process's network namespace (/proc/self/net/netstat, IpExt).
std::pair<std::uint64_t, std::uint64_t> network_bytes() {
    std::istringstream lines{file_text("/proc/self/net/netstat")};
    std::vector<std::string> names;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::vector<std::string> row;
        for (std::string word; words >> word;)
            row.push_back(word);
        if (row.empty() || row.front() != "IpExt:") continue;
        if (names.empty()) {
            names = row;
            continue;
        }
        const auto value = [&](const char* name) -> std::uint64_t {
            const auto at =
                static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
            return at < row.size() ? std::strtoull(row[at].c_str(), nullptr, 10) : 0;
        };
        return {value("InOctets"), value("OutOctets")};
    }
    return {};
}

/// proc(5): when the process began, in ticks since the machine did. A life of the daemon may have
/// begun later. Nothing where /proc does not say.
std::optional<double> process_start() {
    constexpr int words_before = 19; // from the state, which follows the name, to starttime
    const auto self = file_text("/proc/self/stat");
    const auto name_end = self.rfind(')'); // the name may hold anything
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields{self.substr(name_end + 1)};
    std::string word;
    for (int i = 0; i < words_before; ++i)
        fields >> word;
    std::uint64_t ticks{};
    if (!(fields >> ticks)) return std::nullopt;
    std::ifstream machine{"/proc/stat"};
    for (std::string line; std::getline(machine, line);)
        if (line.starts_with("btime "))
            return std::strtod(line.c_str() + sizeof "btime", nullptr) +
                   static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    return std::nullopt;
}

void add_build_info(prometheus::Registry& registry) {
    utsname host{};
    ::uname(&host);
    const std::string machine = host.machine;
    const std::string platform = machine == "x86_64"    ? "amd64"
                                 : machine == "aarch64" ? "arm64"
                                                        : machine;
    gauges(registry, "kubernetes_build_info",
           beta("A metric with a constant '1' value labeled by major, minor, git version, git "
                "commit, git tree state, build date, Go version, and compiler from which "
                "Kubernetes was built, and platform on which it is running."))
        .Add({{"major", "1"},
              {"minor", "36"},
              {"git_version", std::string{config::git_version}},
              {"git_commit", ""},
              {"git_tree_state", ""},
              {"build_date", ""},
              {"go_version", ""},
              {"compiler", "g++"},
              {"platform", "linux/" + platform}})
        .Set(1);
}

void add_gates(prometheus::Registry& registry, const config::FeatureGates& gates) {
    auto& family = gauges(
        registry, "kubernetes_feature_enabled",
        beta("This metric records the data about the stage and enablement of a k8s feature."));
    for (const auto& gate : config::known_gates())
        family
            .Add({{"name", std::string{gate.name}},
                  {"stage", std::string{config::name(gate.stage)}}})
            .Set(gates.enabled(gate.name) ? 1 : 0);
}

} // namespace

ProcessMetrics::ProcessMetrics(prometheus::Registry& registry, const config::FeatureGates& gates,
                               Instant started)
    : cpu_{counters(registry, "process_cpu_seconds_total",
                    "Total user and system CPU time spent in seconds.")
               .Add({})},
      received_{counters(registry, "process_network_receive_bytes_total",
                         "Number of bytes received by the process over the network.")
                    .Add({})},
      sent_{counters(registry, "process_network_transmit_bytes_total",
                     "Number of bytes sent by the process over the network.")
                .Add({})},
      open_fds_{gauges(registry, "process_open_fds", "Number of open file descriptors.").Add({})},
      max_fds_{
          gauges(registry, "process_max_fds", "Maximum number of open file descriptors.").Add({})},
      resident_{gauges(registry, "process_resident_memory_bytes", "Resident memory size in bytes.")
                    .Add({})},
      virtual_{gauges(registry, "process_virtual_memory_bytes", "Virtual memory size in bytes.")
                   .Add({})},
      virtual_max_{gauges(registry, "process_virtual_memory_max_bytes",
                          "Maximum amount of virtual memory available in bytes.")
                       .Add({})},
      registered_{
          counters(registry, "registered_metrics_total",
                   beta("The count of registered metrics broken by stability level and deprecation "
                        "version."))} {
    gauges(registry, "process_start_time_seconds",
           "Start time of the process since unix epoch in seconds.")
        .Add({})
        .Set(process_start().value_or(epoch_seconds(started.wall)));
    add_build_info(registry);
    add_gates(registry, gates);
    // None is: no metric of the contract is deprecated.
    counters(registry, "disabled_metrics_total", beta("The count of disabled metrics.")).Add({});
    counters(registry, "hidden_metrics_total", beta("The count of hidden metrics.")).Add({});
}

void ProcessMetrics::refresh() {
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) == 0) {
        const auto of = [](const timeval& time) {
            return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
        };
        raise(cpu_, of(used.ru_utime) + of(used.ru_stime));
    }
    std::istringstream pages{file_text("/proc/self/statm")};
    std::uint64_t size{};
    std::uint64_t resident{};
    if (pages >> size >> resident) {
        const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
        virtual_.Set(static_cast<double>(size) * page);
        resident_.Set(static_cast<double>(resident) * page);
    }
    std::error_code error;
    const std::filesystem::directory_iterator open{"/proc/self/fd", error};
    if (!error) open_fds_.Set(static_cast<double>(std::distance(begin(open), end(open))) - 1);
    max_fds_.Set(limit(RLIMIT_NOFILE));
    virtual_max_.Set(limit(RLIMIT_AS));
    const auto [received, sent] = network_bytes();
    raise(received_, received);
    raise(sent_, sent);
}

void ProcessMetrics::count(const prometheus::Registry& registry) {
    for (const auto* level : {"ALPHA", "BETA", "STABLE", "INTERNAL"}) {
        const auto all = registry.Collect();
        const auto begins = '[' + std::string{level} + ']';
        const auto number = std::ranges::count_if(
            all, [&](const auto& family) { return family.help.starts_with(begins); });
        raise(registered_.Add({{"stability_level", level}, {"deprecated_version", ""}}),
              static_cast<double>(number));
    }
}

} // namespace ipvsproxy::serve

// What wakes a daemon that has nothing to do.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/kernel/namespace.h"
#include "tests/kernel/running.h"
#include "tests/kernel/wakeups.h"
#include "tests/proxy/cli/program.h"
#include "tests/proxy/files/folder.h"

namespace ipvsproxy::cli {
namespace {

using files::Folder;
using kernel_test::comes_true;
using kernel_test::Running;
using kernel_test::wakeups;
using std::chrono::seconds;

/// Whether nothing wakes the process for that long.
bool sleeps(const Running& daemon, seconds time) {
    const auto before = wakeups(daemon.pid());
    std::this_thread::sleep_for(time);
    return wakeups(daemon.pid()) == before;
}

/// When the first of the process' timers is due; max() when it has none (timerfd of proc(5)).
seconds next_timer(int process) {
    auto next = seconds::max();
    const std::filesystem::path all = "/proc/" + std::to_string(process) + "/fdinfo";
    for (const auto& each : std::filesystem::directory_iterator{all}) {
        std::ifstream facts{each.path()};
        for (std::string line; std::getline(facts, line);)
            if (line.starts_with("it_value: ("))
                next = std::min(next, seconds{std::stol(line.substr(line.find('(') + 1))});
    }
    return next;
}

TEST_CASE("an idle daemon sleeps until the next portion of its audit is due", "[cli][.kernel]") {
    const kernel_test::Namespace own;
    const Folder folder{"/run"}; // inotify hears nothing of the host's filesystem
    folder.write("web.yaml",
                 files::service_yaml("web", "10.96.0.80") + files::slice_yaml("web-1", "web"));
    folder.write("config.conf", "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
                                "kind: KubeProxyConfiguration\nmode: ipvs\n"
                                "conntrack: {maxPerCore: 0}\nipvs: {syncPeriod: 1h}\n");
    const Running daemon{{program_path(), "run", "--config", folder.path("config.conf"), "-f",
                          folder.path("web.yaml"), "--hostname-override=node-1"}};
    REQUIRE(daemon.says("The node is as the Services ask"));
    REQUIRE(comes_true([&] { return sleeps(daemon, seconds{1}); }));
    CHECK(sleeps(daemon, seconds{5}));
    // The audit's portions are minutes apart. Asio sets its timer to five minutes at most.
    CHECK(next_timer(daemon.pid()) > seconds{240});
    folder.write("web.yaml", files::service_yaml("web", "10.96.0.81"));
    CHECK_FALSE(sleeps(daemon, seconds{1})); // it was awake enough to hear that
}

} // namespace
} // namespace ipvsproxy::cli

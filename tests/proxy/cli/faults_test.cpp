// What an operator is told when the node lacks something, and that all else is written.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/kernel/namespace.h"
#include "tests/kernel/running.h"
#include "tests/proxy/cli/program.h"
#include "tests/proxy/files/folder.h"

namespace ipvsproxy::cli {
namespace {

using Catch::Matchers::Contains;
using kernel_test::comes_true;
using kernel_test::must_run;
using kernel_test::Namespace;
using kernel_test::run_command;
using kernel_test::Running;

const std::string web =
    files::service_yaml("web", "10.96.0.80") + files::slice_yaml("web-1", "web");

/// nf_conntrack_max belongs to the host's own network namespace: here it cannot be set.
kernel_test::Finished on_node(const std::string& command) {
    return call({command, "--conntrack-max-per-core=0", "-f", "-"}, web);
}

/// The kernel is without this module, and cannot load it.
class Missing {
public:
    explicit Missing(const std::string& module) {
        std::filesystem::create_directories(folder_);
        std::ofstream{folder_ + "/missing.conf"} << "install " << module << " /bin/false\n";
        const std::filesystem::path loaded = "/sys/module/" + module;
        // Namespaces that ended are cleaned up a little later, and free what they used then.
        REQUIRE(comes_true([&] {
            const auto all = must_run({"sh", "-c", "lsmod | awk '/^" + module + "/{print $1}'"});
            std::istringstream names{all};
            for (std::string name; names >> name;)
                run_command({"modprobe", "-r", name});
            // Such as xt_ipvs, which rules of other tests have used.
            std::error_code gone;
            for (const auto& user : std::filesystem::directory_iterator{loaded / "holders", gone})
                run_command({"modprobe", "-r", user.path().filename().string()});
            return !std::filesystem::exists(loaded);
        }));
    }
    ~Missing() { std::filesystem::remove(folder_ + "/missing.conf"); }
    Missing(const Missing&) = delete;
    Missing& operator=(const Missing&) = delete;

private:
    std::string folder_{"/run/modprobe.d"};
};

TEST_CASE("a module that is missing is named with its remedy, and all else is written",
          "[.kernel]") {
    struct Lack {
        const char *module, *object, *remedy;
    };
    const std::vector<Lack> lacks{
        {"dummy", "refused: kube-ipvs0: ", "the kernel lacks the dummy device: modprobe dummy"},
        {"xt_addrtype",
         "refused: iptables table nat: ", "the kernel lacks xt_addrtype: modprobe xt_addrtype"},
        {"xt_physdev", "", ""}, // only for a local detector by bridge
        {"ip_set_hash_ipportnet", "refused: ipset KUBE-LOAD-BALANCER-SOURCE-CIDR: ",
         "load the modules of the set types: modprobe -a "},
    };
    for (const auto& lack : lacks) {
        CAPTURE(lack.module);
        const Namespace node;
        {
            const Missing missing{lack.module};
            const auto result = on_node("apply");
            CAPTURE(result);
            CHECK(result.status == (*lack.object == 0 ? 0 : 1));
            CHECK_THAT(result.err, Contains(lack.object) && Contains(lack.remedy));
            CHECK(result.err.find("another program") == std::string::npos);
            CHECK_THAT(must_run({"ipvsadm", "-S", "-n"}),
                       Contains("-a -t 10.96.0.80:80 -r 10.0.0.1:80 -m -w 1"));
        }
        const auto mended = on_node("apply");
        CAPTURE(mended);
        CHECK(mended.status == 0);
        CHECK(on_node("diff").status == 0);
    }
}

TEST_CASE("without IPVS nothing is written, and its module is named", "[.kernel]") {
    const Namespace node;
    {
        const Missing missing{"ip_vs"};
        const auto result = on_node("apply");
        CAPTURE(result);
        CHECK(result.status == 1);
        CHECK_THAT(result.err, Contains("run `modprobe ip_vs` on the node"));
        CHECK(must_run({"ipset", "list", "-n"}).empty());
    }
    CHECK(on_node("apply").status == 0);
}

/// Another program that holds the xtables lock for so many seconds.
class LockHeld {
public:
    explicit LockHeld(int seconds)
        : holder_{{"flock", "-o", "/run/xtables.lock", "sleep", std::to_string(seconds)}} {
        REQUIRE(comes_true([] {
            return run_command({"flock", "-n", "/run/xtables.lock", "true"}).status != 0;
        }));
    }
    void release() { // of its own accord
        CHECK(holder_.end() == 0);
    }

private:
    Running holder_;
};

TEST_CASE("the xtables lock is waited for; kept too long it is named, and only rules wait",
          "[.kernel]") {
    const Namespace node;
    {
        LockHeld held{2};
        const auto waited = on_node("apply");
        CAPTURE(waited);
        CHECK(waited.status == 0);
        held.release();
    }
    must_run({"iptables-legacy", "-t", "nat", "-F", "KUBE-MARK-MASQ"});
    must_run({"ipvsadm", "-C"});
    const LockHeld held{50};
    const auto refused = on_node("apply");
    CAPTURE(refused);
    CHECK(refused.status == 1);
    CHECK_THAT(refused.err, Contains("refused: iptables table nat: ") &&
                                Contains("lock /run/xtables.lock") &&
                                Contains("see who: fuser /run/xtables.lock"));
    CHECK_THAT(must_run({"ipvsadm", "-S", "-n"}), Contains("-A -t 10.96.0.80:80 -s rr"));
}

TEST_CASE("rules are written although another program keeps writing beside the lock", "[.kernel]") {
    const Namespace node;
    REQUIRE(on_node("apply").status == 0);
    const Running other{
        {"sh", "-c",
         "export XTABLES_LOCKFILE=/run/other.lock; while :; do"
         " iptables-legacy -t nat -N OTHER; iptables-legacy -t nat -X OTHER; done"}};
    for (int i = 0; i < 6; ++i) {
        run_command({"iptables-legacy", "-t", "nat", "-F", "KUBE-MARK-MASQ"});
        const auto result = on_node("apply");
        CAPTURE(result);
        CHECK(result.status == 0);
        CHECK_THAT(must_run({"iptables-legacy-save", "-t", "nat"}),
                   Contains("-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000"));
    }
}

TEST_CASE("diff and plan write nothing, and need no more than the right to ask", "[.kernel]") {
    const Namespace node;
    const auto state = [] {
        return must_run({"sh", "-c",
                         "ipvsadm -S -n; ipset save; iptables-legacy-save | grep -v '^#';"
                         " ip -o address; sysctl net.ipv4.vs.conntrack net.ipv4.ip_forward"});
    };
    const auto before = state();
    // Read-only everywhere, no right over files: as root of a container with two capabilities.
    const auto reads = [](const std::string& command) {
        return run_command(
            {"unshare", "-m", "sh", "-c",
             "mount -o remount,ro,bind / 2>/dev/null; mount -o remount,ro /run;"
             " exec setpriv --bounding-set=-all,+net_admin,+net_raw --inh-caps=-all " +
                 program_path() + ' ' + command + " --conntrack-max-per-core=0 -f -"},
            web);
    };
    const auto diff = reads("diff");
    must_run({"mount", "-o", "remount,rw", "/run"});
    CAPTURE(diff);
    CHECK(diff.status == 1);
    CHECK_THAT(diff.out, Contains("+ ipvsadm -A -t 10.96.0.80:80 -s rr") &&
                             Contains("~ sysctl -w net.ipv4.vs.conntrack=1"));
    const auto plan = run_command(
        {"setpriv", "--bounding-set=-all", "--inh-caps=-all", program_path(), "plan", "-f", "-"},
        web);
    CHECK(plan.status == 0);
    CHECK(state() == before);
}

TEST_CASE("diff's JSON has this form, and its text is coloured on a terminal only", "[.kernel]") {
    const Namespace node;
    const files::Folder folder;
    folder.write("web.yaml", web);
    REQUIRE(on_node("apply").status == 0);
    const std::vector<std::string> diff{program_path(), "diff", "--conntrack-max-per-core=0", "-f",
                                        folder.path("web.yaml")};
    auto as_json = diff;
    as_json.insert(as_json.end(), {"-o", "json"});
    CHECK(run_command(as_json).out == "{\n  \"differences\": [],\n  \"draining\": []\n}\n");
    must_run({"ip", "address", "del", "10.96.0.80/32", "dev", "kube-ipvs0"});
    CHECK(run_command(as_json).out ==
          "{\n  \"differences\": [\n    {\n      \"sign\": \"+\",\n      \"table\": \"address\",\n"
          "      \"command\": \"ip address add 10.96.0.80/32 dev kube-ipvs0\",\n"
          "      \"reason\": \"missing\",\n      \"service\": \"default/web\"\n    }\n  ],\n"
          "  \"draining\": []\n}\n");

    std::string line;
    for (const auto& word : diff)
        line += word + ' ';
    const auto on_terminal = [](const std::string& typed) {
        return run_command({"script", "-qec", typed + "2>/dev/null", "/dev/null"}).out;
    };
    CHECK_THAT(on_terminal(line), Contains("\x1b[32m+ ip address add"));
    CHECK(on_terminal("NO_COLOR=1 " + line).find('\x1b') == std::string::npos);
    CHECK(run_command(diff).out.find('\x1b') == std::string::npos);
}

} // namespace

TEST_CASE("an output form that is not there is refused by name") {
    const auto result = call({"diff", "-o", "xml", "-f", "-"});
    CAPTURE(result);
    CHECK(result.status == 2);
    CHECK_THAT(result.err, Contains("-o xml: there are text, json or yaml"));
    CHECK(call({"check", "-o", "yaml"}).status == 1);
}

} // namespace ipvsproxy::cli

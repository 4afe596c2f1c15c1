#!/usr/bin/env python3
"""The program on a kernel that lacks modules: each command names the module, and a cleanup takes out what is left.

usage: tests/kernel/run tests/faults/modules.py IPVSPROXY     a boot of its own: modules are unloaded, and none is loaded on demand
"""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "apiserver"))
from node import in_child, pods, service, slice_of  # noqa: E402

BINARY = str(pathlib.Path(sys.argv[1]).resolve())
LOADER = pathlib.Path("/proc/sys/kernel/modprobe")


@contextlib.contextmanager
def no_module_on_demand():
    before = LOADER.read_text()
    LOADER.write_text("/bin/false")
    try:
        yield
    finally:
        LOADER.write_text(before)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def is_loaded(module):
    return any(line.split()[0] == module for line in pathlib.Path("/proc/modules").read_text().splitlines())


def call(*arguments, status=0):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True)
    assert done.returncode == status, f"{arguments}: {done}"
    return done.stdout + done.stderr


def manifest():
    file = pathlib.Path(tempfile.mkstemp(prefix="manifest-")[1])
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [service(0), slice_of(0, pods(0))]}))
    return str(file)


def a_kernel_that_has_nothing_holds_nothing():
    assert not any(map(is_loaded, ("ip_vs", "ip_set", "nfnetlink"))), "another test loaded them"
    with no_module_on_demand():
        assert call("cleanup") == "0 objects removed, 0 refused\n"
        assert call("cleanup", "--dry-run") == ""
        for module, told in (("ip_vs", "module ip_vs is not loaded"), ("nfnetlink", "the kernel has no nfnetlink"),
                ("ip_vs_rr", 'IPVS has no scheduler "rr"'), ("ip_set", "module ip_set is not loaded")):
            words = call("apply", "-f", manifest(), status=1)
            assert told in words and f"run `modprobe {module}` on the node" in words, words
            assert call("cleanup") == "0 objects removed, 0 refused\n"
            if module == "ip_set":
                told = [line for line in call("check", status=1).splitlines() if "ipset hash:" in line]
                assert len(told) == 1 and " more " in told[0] and "module ip_set is not loaded" in told[0], told
            subprocess.run(["modprobe", module], check=True)  # by hand: only what the kernel does by itself is off


def what_is_left_goes_without_ipvs():
    """As after a boot without ip_vs, with sets and rules restored by other means."""
    call("apply", "-f", manifest())
    output("ipvsadm", "-C")
    output("rmmod", "ip_vs_rr", "ip_vs")
    with no_module_on_demand():
        assert "KUBE-CLUSTER-IP" in output("ipset", "list", "-n")
        told = call("cleanup")
        assert not is_loaded("ip_vs")
    assert told.endswith(" objects removed, 0 refused\n"), told
    assert output("ipset", "list", "-n") == ""
    assert "KUBE-" not in output("iptables-legacy-save") + output("ip6tables-legacy-save")
    assert subprocess.run(["ip", "link", "show", "kube-ipvs0"], capture_output=True).returncode != 0


# The first one needs a kernel that has loaded nothing yet.
TESTS = [a_kernel_that_has_nothing_holds_nothing, what_is_left_goes_without_ipvs]


def main():
    passed = 0
    for test in TESTS:
        good = in_child(test)
        print(f"{'ok    ' if good else 'FAILED'} {test.__name__.replace('_', ' ')}", flush=True)
        passed += good
    print(f"modules: {passed} passed, {len(TESTS) - passed} failed")
    return 0 if passed == len(TESTS) else 1


if __name__ == "__main__":
    sys.exit(main())

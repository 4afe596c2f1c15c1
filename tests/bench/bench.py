"""What the program costs with many services of five endpoints each: time and memory of each command, and how long a
running daemon takes from a changed file to the changed kernel.

In the user-mode kernel a system call costs about 12 microseconds: read the numbers against each other, not against those
of a real machine.
"""

import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

BINARY = sys.argv[1]
SIZES = [int(word) for word in sys.argv[2:]] or [100, 1000, 5000]
FOLDER = pathlib.Path("/run/bench")
FLAGS = ["--hostname-override=node-1", "--conntrack-max-per-core=0"]
ENDPOINTS = 5


def service(number):
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{number}", "namespace": "default"},
        "spec": {"type": "ClusterIP", "clusterIP": f"10.96.{number // 250}.{number % 250 + 1}",
                 "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
    }


def slice_of(number, endpoints):
    addresses = [f"10.{200 + each}.{number // 250}.{number % 250 + 1}" for each in range(endpoints)]
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"s{number}-a", "namespace": "default", "labels": {"kubernetes.io/service-name": f"s{number}"}},
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "nodeName": "node-2", "conditions": {"ready": True}} for address in addresses],
    }


def write(path, objects):
    aside = path.with_name("." + path.name + ".new")
    aside.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    aside.rename(path)


def timed(*arguments, allowed=(0,)):
    """Runs the program. Returns (seconds, peak memory in MB)."""
    start = time.monotonic()
    with open(FOLDER.with_suffix(".log"), "w") as log:
        child = subprocess.Popen([BINARY, *arguments], stdout=log, stderr=log)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in allowed:
        sys.exit(f"{' '.join(arguments)}: exit status {child.returncode}\n{pathlib.Path(log.name).read_text()[-2000:]}")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def report(services, what, seconds, megabytes=None):
    memory = f"{megabytes:8.1f} MB" if megabytes else ""
    print(f"{services:6} services  {what:52} {seconds:8.3f} s {memory}", flush=True)


def real_servers():
    return pathlib.Path("/proc/thread-self/net/ip_vs").read_text().count("  -> ") - 1


def wait_for(count, limit):
    """Seconds until the kernel holds so many real servers."""
    start = time.monotonic()
    while (found := real_servers()) != count:
        if time.monotonic() - start > limit:
            sys.exit(f"{found} real servers instead of {count} after {limit} s")
        time.sleep(0.002)
    return time.monotonic() - start


def watch(services, changing):
    daemon = subprocess.Popen([BINARY, "run", "-f", str(FOLDER), *FLAGS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        for endpoints, what in ((ENDPOINTS - 1, "run: one endpoint goes, from file to kernel"), (ENDPOINTS, "run: it comes back")):
            write(changing, [slice_of(0, endpoints)])
            report(services, what, wait_for((services - 1) * ENDPOINTS + endpoints, 60))
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)


def measure(services):
    if ctypes.CDLL(None).unshare(0x40000000) != 0:
        sys.exit("no network namespace")
    subprocess.run("ip link set lo up; ip link add eth0 type dummy; ip addr add 192.168.10.11/24 dev eth0; ip link set eth0 up",
                   shell=True, check=True)
    FOLDER.mkdir(exist_ok=True)
    changing = FOLDER / "changing.json"
    write(FOLDER / "all.json", [service(n) for n in range(services)] + [slice_of(n, ENDPOINTS) for n in range(1, services)])
    write(changing, [slice_of(0, ENDPOINTS)])
    manifests = ["-f", str(FOLDER), *FLAGS]
    report(services, "apply on an empty node", *timed("apply", *manifests))
    report(services, "apply, nothing to do", *timed("apply", *manifests))
    report(services, "diff", *timed("diff", *manifests))
    write(changing, [slice_of(0, ENDPOINTS - 1)])
    report(services, "apply, one endpoint gone", *timed("apply", *manifests))
    write(changing, [slice_of(0, ENDPOINTS)])
    timed("apply", *manifests)
    watch(services, changing)
    report(services, "cleanup", *timed("cleanup"))


def main():
    for services in SIZES:
        measure(services)


if __name__ == "__main__":
    main()

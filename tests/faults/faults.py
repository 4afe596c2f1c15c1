#!/usr/bin/env python3
"""The whole program against an API server that fails in every way: what the kernel holds, meanwhile and afterwards.

usage: tests/kernel/run tests/faults/faults.py IPVSPROXY [NAME…]     a name is part of a test's
"""

import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import reports
from world import BINARY, FLAGS, SERVICES, Balancer, another_of, equal, following, holds, serving, settled, wanted
from node import Daemon, Guard, comes_true, in_child, node_object, pods, servers, service, service_ip, slice_of


def nothing_is_written_before_both_lists_are_complete():
    for missing in ("endpointslices", "services"):
        server = serving()
        server.do(fault="stall", match=missing, times=None)
        with following(server) as daemon:
            other = "services" if missing == "endpointslices" else "endpointslices"
            assert daemon.says(f'"Listed" resource="{other}"'), daemon.log()
            time.sleep(1)
            assert servers() == {} and daemon.rounds() == [], daemon.log()
            server.do(clear=True)
            settled(daemon)
            equal(daemon)
        subprocess.run([BINARY, "cleanup"], check=True, capture_output=True)


KUBERNETES = [
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default"},
     "spec": {"clusterIP": "10.96.255.1", "clusterIPs": ["10.96.255.1"], "ipFamilies": ["IPv4"],
              "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]}},
    {**slice_of(0, ["192.168.10.1"]), "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
     "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}}},
]


def healthz():
    try:
        return urllib.request.urlopen("http://127.0.0.1:10256/healthz", timeout=10).status
    except urllib.error.HTTPError as answer:
        return answer.code


def metrics():
    return urllib.request.urlopen("http://127.0.0.1:10249/metrics", timeout=10).read().decode()


def a_node_that_begins_has_default_kubernetes_while_the_lists_still_come():
    server = serving()
    server.do(put=KUBERNETES)
    alone = {"10.96.255.1:443": {"192.168.10.1:6443"}}
    server.do(fault="slow", match="endpointslices", times=None, bytes=1536, seconds=4)
    with following(server) as daemon:
        assert comes_true(lambda: servers()), daemon.log()
        assert holds(alone), (servers(), daemon.log())
        assert '"Listed" resource="endpointslices"' not in daemon.log(), daemon.log()
        assert "default/kubernetes is served before all else" in daemon.log(), daemon.log()
        assert "The node is as the Services ask" not in daemon.log(), daemon.log()
        assert healthz() == 503  # all others are still missing
        assert not re.search(r"^ipvsproxy_first_vip_seconds 0$", metrics(), re.M), metrics()
        server.do(clear=True)
        settled(daemon, {**wanted(range(SERVICES)), **alone})
        equal(daemon)
        assert comes_true(lambda: healthz() == 200)
        assert daemon.stop() == 0
    # A node that has been served waits for all, however slow: what is there stays as it is.
    server.do(delete=KUBERNETES[1:])
    server.do(put=[service(20), slice_of(20, pods(20))])
    server.do(fault="slow", match="endpointslices", times=None, bytes=256, seconds=0.5)
    with following(server) as daemon:
        with Guard({**wanted(range(SERVICES)), **alone}) as guard:
            assert daemon.says('"Listed" resource="services"'), daemon.log()
            time.sleep(1)
            assert '"Listed" resource="endpointslices"' not in daemon.log(), daemon.log()
        assert guard.looks and not guard.missing, guard.missing
        assert daemon.rounds() == [], daemon.log()
        server.do(clear=True)
        settled(daemon, {**wanted([*range(SERVICES), 20]), "10.96.255.1:443": set()})
        equal(daemon)


def changes_arrive_and_diff_apply_and_plan_ask_the_same_server():
    server = serving()
    with following(server) as daemon:
        settled(daemon)
        server.do(put=[slice_of(3, pods(3, 3))])
        server.do(delete=[service(4)])
        settled(daemon, {**wanted(set(range(SERVICES)) - {3, 4}), **wanted([3], 3)})
        equal(daemon)
        assert daemon.stop() == 0
        server.do(put=[service(4)])
        status, text = daemon.diff()
        assert status == 1 and "ipvsadm -A -t 10.96.0.5:80" in text, text
        for command in ("plan", "apply"):
            done = subprocess.run([BINARY, command, *daemon.flags], capture_output=True, text=True)
            assert done.returncode == 0, done
        equal(daemon)


def through(server, fault, repair, daemon, told=None):
    """While a fault lasts all that was there stays; what changed meanwhile comes once it is over."""
    settled(daemon)
    with Guard(wanted(set(range(SERVICES)) - {1, 2})) as guard:
        fault()
        server.do(put=[slice_of(1, pods(1, 3)), service(20), slice_of(20, pods(20))])
        server.do(delete=[service(2)])
        if told:
            assert daemon.says(told), daemon.log()
        assert comes_true(lambda: guard.looks > 2)
        repair()
        settled(daemon, {**wanted({*range(SERVICES), 20} - {1, 2}), **wanted([1], 3)})
    assert not guard.missing, f"{guard.missing[:5]}\n{daemon.log()}"
    equal(daemon)
    # Back to the beginning, so that one daemon can go through more.
    server.do(put=[service(2), slice_of(1, pods(1))])
    server.do(delete=[service(20), slice_of(20, [])])
    settled(daemon)


def whatever_happens_nothing_is_lost():
    server = serving()
    clear = lambda: server.do(clear=True)  # noqa: E731
    refuse = lambda code, **more: lambda: (server.do(fault="status", code=code, times=None, **more), server.do(reset=True))  # noqa: E731
    with following(server) as daemon:
        for name, fault, repair, told in (
                ("reset", lambda: server.do(reset=True), lambda: None, None),
                ("cut in mid-object", lambda: server.do(fault="cut", match="watch=1", times=4), clear, None),
                ("an orderly end", lambda: server.do(end_watches=True), lambda: None, None),
                ("stalled events", lambda: server.do(fault="stall", match=" event$", times=None), clear, None),
                ("slow", lambda: server.do(fault="slow", times=None, bytes=64, seconds=0.002), clear, None),
                ("no JSON in a watch", lambda: server.do(fault="garbage", match="watch=1"), clear, "not the API's JSON"),
                ("JSON alone", lambda: (server.do(set={"protobuf": False}), server.do(reset=True)), lambda: server.do(set={"protobuf": True}), None),
                ("no API at all", lambda: (server.do(fault="plain", times=None), server.do(fault="status", match="watch=1", code=404, times=None),
                                           server.do(reset=True)), clear, None),
                ("429", refuse(429), clear, "HTTP status 429"),
                ("500", refuse(500), clear, "HTTP status 500"),
                ("503 with Retry-After", refuse(503, retry_after=1), clear, None),
                ("403", refuse(403), clear, "ClusterRole system:node-proxier"),
                ("down", lambda: server.do(down=True), lambda: server.do(up=True), "The API cannot be followed")):
            print(f"  … {name}", flush=True)
            through(server, fault, repair, daemon, told)


def a_load_balancer_that_swaps_servers_loses_nothing():
    one = serving()
    two = another_of(one)
    balancer = Balancer(one)
    with Daemon(BINARY, balancer.kubeconfig(), *FLAGS) as daemon:
        def swap(server):
            server.do(fault="stall", match=" event$", times=None)  # it gets to know later of what happens
            balancer.swap(server)

        for server in (two, one):
            asked = len(server.requests)
            through(one, lambda: swap(server), lambda: server.do(clear=True), daemon)
            assert any("watch=1" in request for request in server.requests[asked:]), server.requests


def a_clock_that_jumps_harms_nothing():
    assert "User Mode Linux" in pathlib.Path("/proc/cpuinfo").read_text(), "a clock is set in a guest only"
    server = serving()

    def jump(seconds):
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)

    with following(server) as daemon:
        for seconds in (3600, -86400, 86400 - 3600):
            through(server, lambda: jump(seconds), lambda: server.do(reset=True), daemon)
            with urllib.request.urlopen("http://127.0.0.1:10256/healthz", timeout=10) as page:
                health = json.load(page)
            shown = datetime.datetime.fromisoformat(health["currentTime"][:19]).timestamp()
            assert health["healthy"] and abs(time.time() - shown) < 60, health


def a_relist_changes_only_what_differs():
    server = serving()
    with following(server) as daemon:
        settled(daemon)
        time.sleep(1)
        before = daemon.rounds()
        server.do(down=True)
        server.do(put=[slice_of(0, pods(0, 3))])
        server.do(delete=[slice_of(5, [])])
        server.do(compact=True)
        lists = daemon.log().count('"Listed"')
        server.do(up=True)
        settled(daemon, {**wanted(set(range(SERVICES)) - {0, 5}), **wanted([0], 3), f"{service_ip(5)}:80": set()})
        assert daemon.says('"Listed"', lists + 3), daemon.log()
        # one real server more, two less; 0's own slices have no address of the node's pods
        assert 3 <= sum(daemon.rounds()[len(before):]) <= 6, f"{daemon.rounds()}\n{daemon.log()}"
        equal(daemon)


def a_relist_of_what_is_known_writes_nothing():
    server = serving()
    with following(server) as daemon:
        settled(daemon)
        time.sleep(1)
        before, lists = sum(daemon.rounds()), daemon.log().count('"Listed"')
        server.do(down=True)
        server.do(put=[node_object()])  # the version moves on
        server.do(compact=True)
        server.do(up=True)
        assert daemon.says('"Listed"', lists + 3), daemon.log()
        time.sleep(1)
        assert sum(daemon.rounds()) == before, daemon.log()


def an_etcd_restored_from_a_backup_is_listed_anew():
    server = serving()
    with following(server) as daemon:
        settled(daemon)
        server.do(down=True)
        server.do(restore=100)
        server.do(delete=[service(7)])
        time.sleep(2)
        server.do(up=True)
        settled(daemon, wanted(set(range(SERVICES)) - {7}))
        server.do(put=[service(7)])
        settled(daemon)
        equal(daemon)


def a_server_without_streaming_lists_is_read_in_pages():
    server = serving()
    server.do(set={"streams": False, "page": 3})
    with following(server) as daemon:
        settled(daemon)
        asked = server.do(state=True)["requests"]
        assert any("continue=" in one for one in asked) and any("watch=1" in one for one in asked), asked
        through(server, lambda: server.do(reset=True), lambda: None, daemon)


def the_node_is_waited_for():
    server = serving()
    server.do(delete=[{**node_object(), "metadata": {"name": "node-1", "namespace": ""}}])
    with following(server) as daemon:
        assert comes_true(lambda: "nodes" in server.do(state=True)["watches"])
        time.sleep(1)
        assert servers() == {}, daemon.log()
        server.do(put=[node_object()])
        settled(daemon)


def a_malformed_object_is_told_once_and_keeps_what_it_was():
    server = serving()
    with following(server) as daemon:
        settled(daemon)
        for _ in range(3):
            server.do(put=[service(3, port=700000)])
        server.do(put=[slice_of(4, pods(4, 3))])
        settled(daemon, {**wanted(set(range(SERVICES)) - {4}), **wanted([4], 3)})
        assert daemon.log().count("Service default/s-3: spec.ports[0].port") == 1, daemon.log()
        server.do(delete=[service(3)])
        settled(daemon, {**wanted(set(range(SERVICES)) - {3, 4}), **wanted([4], 3)})


def over_tls_with_a_token_that_is_replaced():
    token = pathlib.Path(tempfile.mkstemp(prefix="token-")[1])
    token.write_text("first")
    server = serving(tls=tempfile.mkdtemp(prefix="certificates-"), tokens=["first"])
    with following(server, token_file=str(token)) as daemon:
        settled(daemon)

        def replaced():
            server.tokens = {"second"}
            server.do(reset=True)

        through(server, replaced, lambda: token.write_text("second"), daemon, "HTTP status 401")
        assert {"first", "second"} <= set(server.do(state=True)["tokens"])


def changed_pod_cidrs_end_the_daemon_where_they_count():
    server = serving()
    with following(server, "--detect-local-mode=NodeCIDR") as daemon:
        settled(daemon)
        changed = node_object()
        changed["spec"]["podCIDRs"] = ["10.244.9.0/24"]
        server.do(put=[changed])
        assert daemon.process.wait(30) == 1 and "podCIDRs" in daemon.log(), daemon.log()
        assert holds(wanted(range(SERVICES)))


def stalled_watches_are_given_up():
    server = serving()
    with following(server) as daemon:
        settled(daemon)
        assert comes_true(lambda: len(server.do(state=True)["watches"]) == 4)
        server.do(fault="stall", match="(services|endpointslices).* event$", times=2)  # these two never say a word more
        with Guard(wanted(range(SERVICES))) as guard:
            server.do(put=[service(20), slice_of(20, pods(20))])
            assert comes_true(lambda: holds(wanted([*range(SERVICES), 20])), 400), daemon.log()
        assert not guard.missing, f"{guard.missing[:5]}\n{daemon.log()}"
        equal(daemon)


# Minutes of silence: run when it is named.
ON_DEMAND = [stalled_watches_are_given_up]

TESTS = [
    nothing_is_written_before_both_lists_are_complete,
    a_node_that_begins_has_default_kubernetes_while_the_lists_still_come,
    changes_arrive_and_diff_apply_and_plan_ask_the_same_server,
    whatever_happens_nothing_is_lost,
    a_load_balancer_that_swaps_servers_loses_nothing,
    a_clock_that_jumps_harms_nothing,
    a_relist_changes_only_what_differs,
    a_relist_of_what_is_known_writes_nothing,
    an_etcd_restored_from_a_backup_is_listed_anew,
    a_server_without_streaming_lists_is_read_in_pages,
    the_node_is_waited_for,
    a_malformed_object_is_told_once_and_keeps_what_it_was,
    over_tls_with_a_token_that_is_replaced,
    changed_pod_cidrs_end_the_daemon_where_they_count,
    *reports.TESTS,
]


def main():
    passed = failed = 0
    asked = [test for test in TESTS + ON_DEMAND if any(part in test.__name__ for part in sys.argv[2:])]
    for test in asked if sys.argv[2:] else TESTS:
        begin = time.monotonic()
        good = in_child(test)
        print(f"{'ok    ' if good else 'FAILED'} {test.__name__.replace('_', ' ')} ({time.monotonic() - begin:.0f} s)", flush=True)
        passed, failed = passed + good, failed + (not good)
    print(f"faults: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

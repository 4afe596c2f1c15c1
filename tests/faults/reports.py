"""What the daemon tells others of itself: Events, and the counts of its requests; and a change of the server it asks."""

import pathlib
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request

from world import BINARY, equal, following, kubeconfig, serving, settled, wanted
from node import Daemon, comes_true, node_object, servers, service, service_ip, slice_of

EVENTS = "/apis/events.k8s.io/v1/events"
NODE = {"kind": "Node", "name": "node-1", "apiVersion": "v1"}
LATENCIES = ["0.005", "0.025", "0.1", "0.25", "0.5", "1", "2", "4", "8", "15", "30", "60", "+Inf"]


def events(server, reason=None):
    """The Events that the server holds, without what differs from one to the next: name and times."""
    found = []
    for entry in server.world.collections[EVENTS].entries.values():
        event = {name: value for name, value in entry.item.items() if name not in ("metadata", "eventTime")}
        if reason in (None, event["reason"]):
            found.append({"namespace": entry.item["metadata"]["namespace"], **event})
    return found


def event(reason, note="", kind="Normal", action="StartKubeProxy", regarding=None, namespace="default"):
    return {"namespace": namespace, "type": kind, "reason": reason, "action": action, "note": note, "regarding": regarding or NODE,
            "reportingController": "kube-proxy", "reportingInstance": "kube-proxy-node-1"}


def taken(port):
    """Somebody else's listener."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen()
    return listener


def the_start_is_an_event_of_the_node():
    """D-20: and the only one; neither an Event nor the log calls ipvs deprecated."""
    server = serving()
    with following(server) as daemon:
        settled(daemon)
        assert comes_true(lambda: events(server)), daemon.log()
        assert events(server) == [event("Starting")], events(server)
        entry = next(iter(server.world.collections[EVENTS].entries.values())).item
        assert entry["metadata"]["name"].startswith("node-1."), entry
        written = time.mktime(time.strptime(entry["eventTime"], "%Y-%m-%dT%H:%M:%S.%fZ")) - time.timezone
        assert abs(time.time() - written) < 300, entry
        assert "deprecat" not in daemon.log().lower(), daemon.log()
        assert daemon.stop() == 0
    assert [one for one in server.do(state=True)["requests"] if "events" in one] == [
        "POST /apis/events.k8s.io/v1/namespaces/default/events"]


def health_checked(number, port):
    manifest = service(number)
    manifest["spec"].update(type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=port)
    manifest["spec"]["ports"][0]["nodePort"] = 30080
    manifest["status"] = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    return manifest


def answer(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def a_health_check_port_in_use_is_an_event_of_its_service():
    server = serving()
    server.do(fault="cut", match="POST .*namespaces/default/events", times=1)  # sent again after ten seconds and more
    listener = taken(30456)
    with following(server) as daemon:
        settled(daemon)
        server.do(put=[health_checked(20, 30456)])
        assert daemon.says("The health check of a Service cannot be served"), daemon.log()
        assert comes_true(lambda: events(server, "FailedToStartServiceHealthcheck")), daemon.log()
        told, = events(server, "FailedToStartServiceHealthcheck")
        told.pop("series", None)
        beginning = 'node node-1 failed to start healthcheck "default/s-20" on port 30456: '
        assert told["note"].startswith(beginning) and "in use" in told["note"], told
        about = {"kind": "Service", "name": "s-20", "namespace": "default", "uid": "default/s-20"}
        assert told == event("FailedToStartServiceHealthcheck", told["note"], "Warning", "Listen", about), told
        assert events(server, "Starting"), "the cut Event is sent again"
        server.do(put=[slice_of(20, [])])  # a turn of the loop, and a try: the same again is a series
        assert comes_true(lambda: events(server, "FailedToStartServiceHealthcheck")[0].get("series", {}).get("count", 0) > 1), daemon.log()
        assert daemon.log().count("The health check of a Service cannot be served") == 1, daemon.log()
        listener.close()
        server.do(put=[slice_of(20, ["10.244.9.9"])])
        assert comes_true(lambda: answer("http://127.0.0.1:30456/")[0] == 503), daemon.log()


def with_hard_fail_the_server_that_cannot_listen_is_told_before_the_end():
    for port, reason in ((10256, "FailedToStartProxierHealthcheck"), (10249, "FailedToStartMetricServer")):
        server = serving()
        listener = taken(port)
        with following(server, "--bind-address-hard-fail") as daemon:
            assert daemon.process.wait(30) == 1 and "bindAddressHardFail" in daemon.log(), daemon.log()
            told, = events(server, reason)
            assert told == event(reason, told["note"], "Warning") and "in use" in told["note"], told
        listener.close()


def refused_events_are_told_once_and_hold_up_nothing():
    server = serving()
    server.do(fault="status", match="POST .*events", code=403, times=None)
    with following(server) as daemon:
        settled(daemon)
        assert daemon.says("The API server refused an event"), daemon.log()
        server.do(put=[slice_of(3, ["10.244.9.9"])])
        settled(daemon, {**wanted(set(range(10)) - {3}), "10.96.0.4:80": {"10.244.9.9:8080"}})
        equal(daemon)
        assert daemon.log().count("The API server refused an event") == 1, daemon.log()
    assert len([one for one in server.do(state=True)["requests"] if one.startswith("POST")]) == 1
    assert events(server) == []


def stalled_events_hold_up_nothing():
    server = serving()
    server.do(fault="stall", match="POST .*events", times=None)
    with following(server) as daemon:
        settled(daemon)
        server.do(put=[slice_of(3, ["10.244.9.9"])])
        settled(daemon, {**wanted(set(range(10)) - {3}), "10.96.0.4:80": {"10.244.9.9:8080"}})
        before = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - before < 20  # SIGTERM waits for no Event


def metrics():
    """{'name{labels}': value} as served."""
    lines = [line for line in answer("http://127.0.0.1:10249/metrics")[1].splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def requests_to_the_api_server_are_counted_as_client_go_counts_them():
    server = serving()
    host = f"127.0.0.1:{server.port}"
    with following(server) as daemon:
        settled(daemon)
        assert comes_true(lambda: events(server)), daemon.log()
        created = f'rest_client_requests_total{{code="201",host="{host}",method="POST"}}'
        asked = f'rest_client_requests_total{{code="200",host="{host}",method="GET"}}'
        assert comes_true(lambda: metrics().get(created) == 1), metrics()
        found = metrics()
        gets = [one for one in server.do(state=True)["requests"] if one.startswith("GET")]
        assert found[asked] == len(gets) >= 4, (found[asked], gets)
        of_gets = f'host="{host}",verb="GET"'
        assert found[f"rest_client_request_duration_seconds_count{{{of_gets}}}"] == len(gets)
        bounds = [f'rest_client_request_duration_seconds_bucket{{{of_gets},le="{bound}"}}' for bound in LATENCIES]
        assert [name for name in found if name.startswith("rest_client_request_duration_seconds_bucket{" + of_gets)] == bounds, found.keys()
        assert found[bounds[-1]] == len(gets)
        # The Node's first watch ends when the Node is known; it and those under way have not been read to their ends.
        assert found[f"rest_client_rate_limiter_duration_seconds_count{{{of_gets}}}"] == len(gets)
        assert found[f'rest_client_request_size_bytes_count{{host="{host}",verb="POST"}}'] == 1
        assert found[f'rest_client_response_size_bytes_count{{host="{host}",verb="POST"}}'] == 1
        server.do(down=True)
        lost = f'rest_client_requests_total{{code="<error>",host="{host}",method="GET"}}'
        assert comes_true(lambda: metrics().get(lost, 0) > 0), metrics()


class Configured:
    """A configuration file, which is replaced as a whole, and the daemon that goes by it."""

    def __init__(self, path):
        self.file = pathlib.Path(tempfile.mkdtemp()) / "config.yaml"
        self(path)

    def __call__(self, path, name="node-1"):
        aside = self.file.with_suffix(".new")
        aside.write_text("apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n"
            f"hostnameOverride: {name}\nclientConnection: {{kubeconfig: {path}}}\n"
            "ipvs: {minSyncPeriod: 10ms, syncPeriod: 2s}\nconntrack: {maxPerCore: 0}\nhealthzBindAddress: 127.0.0.1:10256\n")
        aside.rename(self.file)

    def daemon(self):
        return Daemon.configured(BINARY, self.file)


def while_another_server_does_not_answer_the_node_is_kept():
    """D-18: drift is healed, the server before is followed for as long as it is there, and the health ports answer."""
    first, second = serving(range(0, 3)), serving(range(3, 5))
    first.do(put=[health_checked(20, 30456)])

    def stands(numbers):
        seen = servers()
        return all(set(seen.get(virtual, {})) == reals for virtual, reals in wanted(numbers).items())

    def is_kept(numbers):
        for virtual, reals in wanted(numbers).items():
            for real in reals:
                subprocess.run(["ipvsadm", "-d", "-t", virtual, "-r", real], check=True)
        assert comes_true(lambda: stands(numbers)), f"{servers()}\n{daemon.log()}"
        assert answer("http://127.0.0.1:10256/healthz")[0] == 200, daemon.log()
        assert comes_true(lambda: answer("http://127.0.0.1:30456/")[0] == 503), daemon.log()

    configure = Configured(kubeconfig(first))
    with configure.daemon() as daemon:
        assert comes_true(lambda: stands(range(0, 3))), f"{servers()}\n{daemon.log()}"
        second.do(down=True)
        configure(kubeconfig(second))
        assert daemon.says("all goes on as before until it is listed"), daemon.log()
        assert daemon.says("The API cannot be followed"), daemon.log()
        first.do(delete=[service(1)])
        assert comes_true(lambda: f"{service_ip(1)}:80" not in servers()), daemon.log()
        is_kept([0, 2])
        first.do(down=True)
        is_kept([0, 2])
        second.do(up=True)
        settled(daemon, wanted(range(3, 5)))
        assert daemon.log().count("starting anew with it") == 1, daemon.log()
        equal(daemon)
        assert daemon.stop() == 0


class Talk:
    """A TCP connection of this node through a virtual server to a listener at a pod's address, which is one of lo's here."""

    def __init__(self, virtual, pod):
        subprocess.run(["ip", "address", "add", f"{pod}/32", "dev", "lo"], check=True)
        self.listener = socket.create_server((pod, 8080))
        address, port = virtual.split(":")
        self.client = socket.create_connection((address, int(port)), timeout=10)
        self.pod, _ = self.listener.accept()
        self.pod.settimeout(10)

    def goes_on(self):
        self.client.sendall(b"still there?")
        return self.pod.recv(64) == b"still there?"

    def break_off(self):
        """By a reset, after which IPVS forgets the connection within seconds."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()


def while_another_server_does_not_answer_real_servers_drain():
    """D-08, D-18: what leaves keeps its connection at weight 0, and goes once that has ended, with the other server still away."""
    first, second = serving(range(0, 3)), serving(range(3, 5))
    virtual, leaving, staying = f"{service_ip(0)}:80", "10.244.0.1", "10.244.9.9"
    first.do(put=[slice_of(0, [leaving])])
    configure = Configured(kubeconfig(first))
    with configure.daemon() as daemon:
        assert comes_true(lambda: servers().get(virtual) == {f"{leaving}:8080": 1}), f"{servers()}\n{daemon.log()}"
        talk = Talk(virtual, leaving)
        second.do(down=True)
        configure(kubeconfig(second))
        assert daemon.says("all goes on as before until it is listed"), daemon.log()
        first.do(put=[slice_of(0, [staying])])
        drains = {f"{leaving}:8080": 0, f"{staying}:8080": 1}
        assert comes_true(lambda: servers().get(virtual) == drains), f"{servers()}\n{daemon.log()}"
        time.sleep(5)  # more than one look at it, and more than a round of the audit
        assert servers().get(virtual) == drains and talk.goes_on(), f"{servers()}\n{daemon.log()}"
        talk.break_off()
        assert comes_true(lambda: servers().get(virtual) == {f"{staying}:8080": 1}), f"{servers()}\n{daemon.log()}"
        assert "starting anew with it" not in daemon.log(), daemon.log()
        second.do(up=True)
        settled(daemon, wanted(range(3, 5)))
        assert daemon.stop() == 0


def another_kubeconfig_or_name_in_the_file_is_followed_by_the_next_life():
    """D-18"""
    first, second = serving(range(0, 3)), serving(range(3, 5))
    second.do(put=[{**node_object(), "metadata": {"name": "node-2"}}])
    configure = Configured(kubeconfig(first))
    with configure.daemon() as daemon:
        settled(daemon, wanted(range(0, 3)))
        configure("/nonexistent/kubeconfig")
        assert daemon.says("names no way to the API server"), daemon.log()
        first.do(delete=[service(2)])
        settled(daemon, wanted(range(0, 2)))
        configure(kubeconfig(second))
        settled(daemon, wanted(range(3, 5)))
        assert comes_true(lambda: not first.do(state=True)["watches"])
        configure(kubeconfig(second), "node-2")
        assert comes_true(lambda: any("metadata.name%3Dnode-2" in one for one in second.do(state=True)["requests"])), daemon.log()
        assert comes_true(lambda: [one for one in events(second, "Starting") if one["regarding"]["name"] == "node-2"]), daemon.log()
        assert comes_true(lambda: answer("http://127.0.0.1:10256/healthz")[0] == 200), daemon.log()
        settled(daemon, wanted(range(3, 5)))
        equal(daemon)
        assert daemon.stop() == 0


TESTS = [
    the_start_is_an_event_of_the_node,
    a_health_check_port_in_use_is_an_event_of_its_service,
    with_hard_fail_the_server_that_cannot_listen_is_told_before_the_end,
    refused_events_are_told_once_and_hold_up_nothing,
    stalled_events_hold_up_nothing,
    requests_to_the_api_server_are_counted_as_client_go_counts_them,
    while_another_server_does_not_answer_the_node_is_kept,
    while_another_server_does_not_answer_real_servers_drain,
    another_kubeconfig_or_name_in_the_file_is_followed_by_the_next_life,
]

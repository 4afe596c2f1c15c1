"""The demonstration: a client, a node and two backends in network namespaces, manifests/examples/, real traffic,
then tampering with the kernel, what `ipvsproxy diff` says of it, and the daemon healing it.

Runs as root where nothing of the host can be touched (tests/demo/run). Exits 1 at the first claim that does not hold.
"""

import collections
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = "manifests/examples/"
BINARY = sys.argv[1]
# nf_conntrack_max belongs to the machine; a network namespace may only read it.
FLAGS = ["-f", EXAMPLES, "--hostname-override=node-1", "--conntrack-max-per-core=0"]
CLONE_NEWNET = 0x40000000

TOPOLOGY = """
  client              node (ipvsproxy runs here)                   backends
  192.168.10.50 ----- 192.168.10.11 | 10.244.1.1 -----+----------- backend-1  10.244.1.10  fd00:244:1::10
  fd00:10::50         fd00:10::11   | fd00:244:1::1   +----------- backend-2  10.244.1.20  fd00:244:1::20
"""

NETWORK = """\
ip netns add client; ip netns add node; ip netns add backend-1; ip netns add backend-2
ip -n node link add eth0 type veth peer name eth0 netns client
ip -n node link add pod1 type veth peer name eth0 netns backend-1
ip -n node link add pod2 type veth peer name eth0 netns backend-2
ip -n client -batch - <<END
link set lo up
link set eth0 up
addr add 192.168.10.50/24 dev eth0
addr add fd00:10::50/64 dev eth0 nodad
route add default via 192.168.10.11
route add default via fd00:10::11
END
ip -n node -batch - <<END
link set lo up
link set eth0 up
link set pod1 up
link set pod2 up
addr add 192.168.10.11/24 dev eth0
addr add fd00:10::11/64 dev eth0 nodad
addr add 10.244.1.1/32 dev pod1
addr add 10.244.1.1/32 dev pod2
addr add fd00:244:1::1/128 dev pod1 nodad
addr add fd00:244:1::1/128 dev pod2 nodad
route add 10.244.1.10 dev pod1 src 10.244.1.1
route add 10.244.1.20 dev pod2 src 10.244.1.1
route add fd00:244:1::10 dev pod1
route add fd00:244:1::20 dev pod2
END
for n in 1 2; do ip -n backend-$n -batch - <<END
link set lo up
link set eth0 up
addr add 10.244.1.${n}0/32 dev eth0
addr add fd00:244:1::${n}0/128 dev eth0 nodad
route add 10.244.1.1 dev eth0
route add default via 10.244.1.1
route add fd00:244:1::1 dev eth0
route add default via fd00:244:1::1
END
done
ip netns exec node sysctl -qw net.ipv6.conf.all.forwarding=1
"""


def say(text=""):
    print(text, flush=True)


def step(text):
    say(f"\n--- {text}")


def claim(holds, text):
    if not holds:
        say(f"FAILED {text}")
        sys.exit(1)
    say(f"    ok: {text}")


def shown(namespace, line, check=True):
    """Runs a command line in a namespace, as a reader would type it. Returns (status, output)."""
    say(f"    {namespace}# {line}")
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, "sh", "-c", line.replace("ipvsproxy", BINARY, 1) if line.startswith("ipvsproxy") else line],
        capture_output=True, text=True, cwd=TOP, timeout=60)
    output = done.stdout + done.stderr
    for each in output.splitlines():
        say(f"      {each}")
    if check and done.returncode != 0:
        claim(False, f"the command succeeds (it exited with {done.returncode})")
    return done.returncode, output


class Inside:
    """This thread's sockets belong to another namespace meanwhile."""

    def __init__(self, name):
        self.there = open(f"/run/netns/{name}")
        self.back = open("/proc/thread-self/ns/net")

    def enter(self, where):
        if ctypes.CDLL(None, use_errno=True).setns(where.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def __enter__(self):
        self.enter(self.there)

    def __exit__(self, *error):
        self.enter(self.back)
        self.there.close()
        self.back.close()


def serve(name):
    """A backend: tells whoever connects (TCP 8080) or sends (UDP 5353) its own name and the address it saw."""
    with Inside(name):
        listener = socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("0.0.0.0", 5353))

    def answer(peer):
        return f"{name} {peer[0].removeprefix('::ffff:')}".encode()

    def streams():
        while True:
            connection, peer = listener.accept()
            with connection:
                connection.sendall(answer(peer))

    def packets():
        while True:
            _, peer = datagrams.recvfrom(100)
            datagrams.sendto(answer(peer), peer)

    for loop in (streams, packets):
        threading.Thread(target=loop, daemon=True).start()


def ask(namespace, host, port, times, udp=False):
    """Asks `times` times. Returns how often each (backend, source it saw) answered."""
    answers = collections.Counter()
    with Inside(namespace):
        for _ in range(times):
            if udp:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.settimeout(5)
                    client.sendto(b"?", (host, port))
                    text = client.recv(100)
            else:
                with socket.create_connection((host, port), timeout=5) as client:
                    text = client.recv(100)
            answers[tuple(text.decode().split())] += 1
    kind = "UDP" if udp else "TCP"
    say(f"    {namespace} asks {host} port {port}/{kind} {times} times:")
    for (backend, source), count in sorted(answers.items()):
        say(f"      {count} x {backend}, which saw the source {source}")
    return answers


def backends(answers):
    return {backend for backend, _ in answers}


def sources(answers):
    return {source for _, source in answers}


def show_traffic():
    step("a ClusterIP is balanced over the backends, and they see the client itself")
    answers = ask("client", "10.96.10.80", 80, 8)
    claim(sorted(answers.values()) == [4, 4] and len(backends(answers)) == 2, "half of the connections each")
    claim(sources(answers) == {"192.168.10.50"}, "the source is the client's own address")
    answers = ask("client", "fd00:96::80", 80, 8)
    claim(sorted(answers.values()) == [4, 4] and sources(answers) == {"fd00:10::50"}, "the same over IPv6")

    step("the same service through a node port, from outside: the source is masqueraded")
    answers = ask("client", "192.168.10.11", 30080, 8)
    claim(sorted(answers.values()) == [4, 4], "balanced")
    claim(sources(answers) == {"10.244.1.1"}, "the backends see the node's address, so that answers come back through it")

    step("the ClusterIP answers ping, and refuses a port that no service has")
    shown("client", "ping -c 2 -i 0.2 -W 2 10.96.10.80")
    with Inside("client"):
        try:
            socket.create_connection(("10.96.10.80", 81), timeout=5)
            refused = "accepted"
        except ConnectionRefusedError:
            refused = "refused"
        except OSError as error:
            refused = str(error)
    claim(refused == "refused", f"port 81 of 10.96.10.80 is {refused}")

    step("session affinity: one client stays on one backend")
    answers = ask("client", "10.96.10.90", 80, 8)
    claim(len(backends(answers)) == 1, "all connections on one backend")
    claim(len(backends(ask("client", "10.96.10.90", 53, 8, udp=True))) == 1, "all datagrams on one backend")

    step("a hairpin: a backend asks its own service, and may be sent to itself")
    answers = ask("backend-1", "10.96.10.80", 80, 8)
    seen = {backend: source for backend, source in answers}
    claim(seen.get("backend-2") == "10.244.1.10", "the other backend sees it as it is")
    claim(seen.get("backend-1") == "10.244.1.1", "itself sees the node instead, or its answer would never pass the node")


TAMPERING = [
    ("a real server is removed", "ipvsadm -d -t 10.96.10.80:80 -r 10.244.1.10:8080",
     ["ipvsadm -a -t 10.96.10.80:80 -r 10.244.1.10:8080"]),
    ("an ipset entry is deleted", "ipset del KUBE-CLUSTER-IP 10.96.10.90,tcp:80",
     ["ipset add KUBE-CLUSTER-IP 10.96.10.90,tcp:80"]),
    ("an address is dropped", "ip addr del 10.96.10.90/32 dev kube-ipvs0", ["addr", "add 10.96.10.90"]),
    ("the rules are flushed", "iptables-legacy -t nat -F KUBE-SERVICES", ["iptables", "KUBE-SERVICES"]),
]


def difference():
    done = subprocess.run(["ip", "netns", "exec", "node", BINARY, "diff", *FLAGS], capture_output=True, text=True, cwd=TOP, timeout=60)
    return done.returncode


def wait_for_heal(seconds):
    start = time.monotonic()
    while difference() != 0:
        if time.monotonic() - start > seconds:
            return None
    return time.monotonic() - start


def show_drift():
    step("someone tampers with the kernel; nothing but `diff` looks at it yet")
    for what, line, _ in TAMPERING:
        say(f"    {what}:")
        shown("node", line)
    status, output = shown("node", "ipvsproxy diff " + " ".join(FLAGS), check=False)
    claim(status == 1, "diff exits with 1: there are differences")
    for what, _, words in TAMPERING:
        named = [line for line in output.splitlines() if line.startswith("+") and all(word in line for word in words)]
        claim(bool(named), f"diff names it: {what}")


def show_healing():
    step("the daemon starts on that node, heals it, and stands watch")
    line = "ipvsproxy run " + " ".join(FLAGS) + " --ipvs-sync-period=3s"
    say(f"    node# {line} &")
    log = open("/run/ipvsproxy.log", "w+")
    daemon = subprocess.Popen(
        ["ip", "netns", "exec", "node", BINARY, "run", *FLAGS, "--ipvs-sync-period=3s"], stdout=log, stderr=subprocess.STDOUT, cwd=TOP)
    try:
        claim(wait_for_heal(15) is not None, "diff has nothing left to say (exit status 0)")
        answers = ask("client", "10.96.10.80", 80, 8)
        claim(len(backends(answers)) == 2, "both backends answer again")
        for what, line, _ in TAMPERING:
            say(f"    {what}, while the daemon runs:")
            shown("node", line)
            seconds = wait_for_heal(15)
            claim(seconds is not None, f"healed after {seconds or 0:.1f} s")
        step("the daemon ends; the kernel goes on forwarding")
        daemon.send_signal(signal.SIGTERM)
        claim(daemon.wait(timeout=15) == 0, "SIGTERM ends it with status 0")
        claim(len(backends(ask("client", "10.96.10.80", 80, 4))) == 2, "connections are balanced without it")
    except SystemExit:
        log.flush()
        say("    the daemon's log:\n" + pathlib.Path(log.name).read_text())
        raise
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()


def main():
    start = time.monotonic()
    # The sets are asked for by rules and by the proxy; a private sysfs and /run are all that is changed.
    subprocess.run(["sh", "-ec", NETWORK], check=True)
    say(TOPOLOGY)
    for name in ("backend-1", "backend-2"):
        serve(name)

    step(f"{EXAMPLES} is applied: {', '.join(sorted(os.listdir(TOP / EXAMPLES)))}")
    shown("node", "ipvsproxy apply " + " ".join(FLAGS))
    shown("node", "ipvsadm -Ln")
    status, _ = shown("node", "ipvsproxy diff " + " ".join(FLAGS), check=False)
    claim(status == 0, "diff: the kernel is what the manifests ask for")

    show_traffic()
    show_drift()
    show_healing()

    step("cleanup removes all of it")
    shown("node", "ipvsproxy cleanup")
    _, output = shown("node", "ipvsadm -Sn; ipset list -n; ip link show kube-ipvs0; iptables-legacy-save | grep KUBE", check=False)
    claim(output.strip() == 'Device "kube-ipvs0" does not exist.', "no virtual server, set, device or rule is left")
    say(f"\nAll as claimed, in {time.monotonic() - start:.0f} s.")


if __name__ == "__main__":
    main()

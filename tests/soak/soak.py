#!/usr/bin/env python3
"""Churn while the API server is cut every few seconds: no ready real server is ever missing, memory stays flat, and in the end the node is
as the Services ask.

usage: tests/kernel/run tests/soak/soak.py IPVSPROXY      SOAK_SECONDS (60: longer where the machine is slow), SOAK_RATE (200 changes a second),
                                                             SOAK_SERVICES (200)
"""

import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "apiserver"))
from node import Daemon, Guard, comes_true, node_object, own_namespace, pods, servers, service, service_ip, slice_of  # noqa: E402
from server import ApiServer  # noqa: E402

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
RATE = float(os.environ.get("SOAK_RATE", "200"))
SERVICES = int(os.environ.get("SOAK_SERVICES", "200"))
# How long a change may take to be the kernel's: back-off of up to a minute while the server is away, and a loaded machine.
SETTLE = 120
PODS = 4


class Cluster:
    """What the API server holds. Each service keeps its first pod ready for ever; the others come and go, and so do services that
    are not always there."""

    def __init__(self, server, seed):
        self.server, self.random = server, random.Random(seed)
        self.up = {number: set(pods(number, PODS)) for number in range(SERVICES)}
        self.changes = 0
        server.do(put=[node_object(), *(service(n) for n in self.up), *(self.slice(n) for n in self.up)])

    def slice(self, number):
        ready = self.up[number]
        return slice_of(number, {pod: {"ready": pod in ready, "serving": pod in ready, "terminating": False}
                                 for pod in pods(number, PODS)})

    def always(self):
        return {f"{service_ip(n)}:80": {f"{pods(n, 1)[0]}:8080"} for n in range(SERVICES)}

    def wanted(self):
        return {f"{service_ip(n)}:80": {f"{pod}:8080" for pod in ready} for n, ready in self.up.items()}

    def change(self):
        """One change: a pod comes or goes, or a service of the second half comes or goes."""
        self.changes += 1
        if self.random.random() < 0.1:
            number = SERVICES + self.random.randrange(SERVICES // 2 or 1)
            if number in self.up:
                del self.up[number]
                return self.server.do(delete=[service(number), slice_of(number, [])])
            self.up[number] = set(pods(number, PODS))
            return self.server.do(put=[service(number), self.slice(number)])
        number = self.random.randrange(SERVICES)
        self.up[number] ^= {self.random.choice(pods(number, PODS)[1:])}
        return self.server.do(put=[self.slice(number)])


def cut_again_and_again(server, chance, over):
    """Every few seconds something else goes wrong with the API server. @return how often it did."""
    faults = 0
    while not over.wait(chance.uniform(1, 4)):
        faults += 1
        match chance.randrange(7):
            case 0 | 1:
                server.do(reset=True)
            case 2:
                server.do(fault="cut", match="watch=1", times=3)
            case 3:
                server.do(down=True)
                over.wait(chance.uniform(0.1, 2))
                server.do(up=True)
            case 4:
                server.do(compact=True)
                server.do(reset=True)
            case 5:
                server.do(fault="status", code=chance.choice([429, 500, 503]), times=4)
                server.do(reset=True)
            case 6:
                server.do(end_watches=True)
    server.do(clear=True)
    server.do(up=True)
    return faults


def churn(cluster):
    """As many changes as SECONDS have room for, RATE a second where the machine can: a slow one takes longer. @return the rate reached."""
    begin = time.monotonic()
    while cluster.changes < SECONDS * RATE:
        late = begin + cluster.changes / RATE - time.monotonic()
        if late > 0:
            time.sleep(min(late, 0.05))
        else:
            cluster.change()
    return cluster.changes / (time.monotonic() - begin)


def flat(samples):
    """Whether memory has stopped growing: the last third's median is at most a tenth, and 4 MB, above that of the second."""
    third = len(samples) // 3
    middle, last = sorted(samples[third : 2 * third])[third // 2], sorted(samples[2 * third :])[third // 2]
    return last <= middle * 1.1 + 4096, f"{middle} KiB in the second third, {last} KiB in the last"


def main():
    seed = int(os.environ.get("SOAK_SEED", time.time_ns() % 1000000))
    print(f"soak: {SECONDS:.0f} s, {RATE:.0f} changes a second, {SERVICES} services, SOAK_SEED={seed}", flush=True)
    own_namespace()
    server = ApiServer().start_in_thread()
    server.do(set={"bookmark_seconds": 1, "watch_seconds": 20})
    cluster = Cluster(server, seed)
    config = server.kubeconfig(tempfile.mkstemp(prefix="kubeconfig-")[1])
    over, samples, faults = threading.Event(), [], []
    with Daemon(sys.argv[1], config, "--ipvs-min-sync-period=100ms", "-v=0") as daemon:
        assert comes_true(lambda: len(servers()) == SERVICES, SETTLE), daemon.log()
        breaker = threading.Thread(target=lambda: faults.append(cut_again_and_again(server, random.Random(seed + 1), over)))
        sampler = threading.Thread(target=lambda: [samples.append(daemon.rss_kib()) for _ in iter(lambda: over.wait(SECONDS / 120), True)])
        with Guard(cluster.always()) as guard:
            breaker.start()
            sampler.start()
            rate = churn(cluster)
            over.set()
            breaker.join()
            sampler.join()
            same = comes_true(lambda: {v: {r for r, w in rs.items() if w} for v, rs in servers().items()} == cluster.wanted(), SETTLE)
        status, text = daemon.diff()
        claims = {
            "the node has come to be as the Services ask": same and status == 0,
            "no ready real server was ever missing": not guard.missing and guard.looks > SECONDS / 5,
            "memory stays flat": flat(samples)[0],
            "the daemon ends as it is told": daemon.stop() == 0,
        }
        print(f"soak: {cluster.changes} changes ({rate:.0f} a second), {faults[0]} faults, {guard.looks} looks at the kernel; {flat(samples)[1]}")
        for claim, holds in claims.items():
            print(f"{'ok    ' if holds else 'FAILED'} {claim}")
        if not all(claims.values()):
            print(text, *guard.missing[:10], daemon.log()[-6000:], sep="\n")
    failed = sum(not holds for holds in claims.values())
    print(f"soak: {len(claims) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

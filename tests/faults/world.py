"""What the tests here share: an API server with ten services, and a daemon that follows it."""

import asyncio
import contextlib
import pathlib
import socket
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "apiserver"))
from node import Daemon, comes_true, node_object, pods, servers, service, service_ip, slice_of  # noqa: E402
from server import ApiServer  # noqa: E402

BINARY = sys.argv[1]
SERVICES = 10
# Rounds are not to wait for each other here.
FLAGS = ["--ipvs-min-sync-period=0s"]


def wanted(numbers, count=2):
    return {f"{service_ip(n)}:80": {f"{pod}:8080" for pod in pods(n, count)} for n in numbers}


def holds(state):
    return {virtual: set(reals) for virtual, reals in servers().items()} == state


def serving(numbers=range(SERVICES), **more):
    """An API server with ten services."""
    server = ApiServer(**more).start_in_thread()
    server.do(put=[node_object(), *(service(n) for n in numbers), *(slice_of(n, pods(n)) for n in numbers)])
    server.do(set={"bookmark_seconds": 1})
    return server


def kubeconfig(server, **more):
    return server.kubeconfig(tempfile.mkstemp(prefix="kubeconfig-")[1], **more)


class Balancer:
    """A load balancer of TCP connections, in front of one API server or another."""

    def __init__(self, server):
        self.server, self.ends = server, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            behind = socket.create_connection(("127.0.0.1", self.server.port))
            self.ends += [client, behind]
            for one, other in ((client, behind), (behind, client)):
                threading.Thread(target=self.pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def pass_on(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def swap(self, server):
        """Connections that stand are cut; new ones go to that server."""
        self.server = server
        while self.ends:
            with contextlib.suppress(OSError):
                self.ends.pop().shutdown(socket.SHUT_RDWR)

    def kubeconfig(self):
        path = pathlib.Path(kubeconfig(self.server))
        path.write_text(path.read_text().replace(f":{self.server.port}", f":{self.listener.getsockname()[1]}"))
        return str(path)


def another_of(server):
    """A second API server over the same objects, on the same loop."""
    other = ApiServer(world=server.world)
    asyncio.run_coroutine_threadsafe(other.up(), server.loop).result(10)
    other.do(set={"bookmark_seconds": 1})
    return other


def following(server, *flags, **more):
    return Daemon(BINARY, kubeconfig(server, **more), *FLAGS, *flags)


def settled(daemon, state=None):
    assert comes_true(lambda: holds(state or wanted(range(SERVICES)))), f"the kernel holds {servers()}\n{daemon.log()}"


def equal(daemon):
    status, text = daemon.diff()
    assert status == 0, f"diff exits with {status}: {text}\n{daemon.log()}"

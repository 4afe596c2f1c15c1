"""What the tests here share: an API server with ten services, and a daemon that follows it."""

import pathlib
import sys
import tempfile

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


def following(server, *flags, **more):
    return Daemon(BINARY, kubeconfig(server, **more), *FLAGS, *flags)


def settled(daemon, state=None):
    assert comes_true(lambda: holds(state or wanted(range(SERVICES)))), f"the kernel holds {servers()}\n{daemon.log()}"


def equal(daemon):
    status, text = daemon.diff()
    assert status == 0, f"diff exits with {status}: {text}\n{daemon.log()}"

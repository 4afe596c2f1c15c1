"""A node under test, in a network namespace of its own: the daemon, what its kernel holds, and objects to give it."""

import ctypes
import errno
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import traceback

CLONE_NEWNET = 0x40000000
NODE = "node-1"


def own_namespace():
    """This thread, and those it starts, get a network namespace with nothing but lo."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def comes_true(holds, seconds=60):
    """Waits for as long as a loaded machine may need."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def node_object(**labels):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels},
            "spec": {"podCIDRs": ["10.244.1.0/24"]},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.168.10.11"}]}}


def service_ip(number):
    return f"10.96.{number // 250}.{number % 250 + 1}"


def service(number, port=80):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s-{number}", "namespace": "default"},
            "spec": {"clusterIP": service_ip(number), "clusterIPs": [service_ip(number)], "ipFamilies": ["IPv4"],
                     "ports": [{"name": "http", "port": port, "protocol": "TCP", "targetPort": 8080}]}}


def slice_of(number, addresses, **conditions):
    """The slice of a service: {address: conditions}, or addresses that are all ready."""
    ready = {"ready": True, "serving": True, "terminating": False}
    endpoints = [{"addresses": [address], "conditions": {**ready, **(addresses[address] if isinstance(addresses, dict) else conditions)}}
                 for address in addresses]
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": f"s-{number}-x", "namespace": "default", "labels": {"kubernetes.io/service-name": f"s-{number}"}},
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}], "endpoints": endpoints}


def pods(number, count=2):
    return [f"10.244.{number // 60}.{number % 60 * 4 + i + 1}" for i in range(count)]


def servers():
    """What IPVS holds: {"10.96.0.1:80": {"10.244.0.1:8080": weight}}."""
    found = {}
    saved = subprocess.run(["ipvsadm", "-S", "-n"], capture_output=True, text=True, check=True).stdout
    for line in saved.splitlines():
        words = line.split()
        if words[0] == "-A":
            found[words[2]] = {}
        else:
            found[words[2]][words[4]] = int(words[words.index("-w") + 1])
    return found


class RealServers:
    """The real servers of one virtual server (TCP, IPv4) at one moment: IP_VS_SO_GET_DESTS answers under IPVS' lock (linux/ip_vs.h). A
    dump, which is what `ipvsadm -S` reads, goes on from a count where its last part ended, and so leaves out entries when others
    have gone in between."""

    GET_DESTS = 64 + 1024 + 64 + 4
    HEADER, ENTRY, MOST = struct.Struct("@HIHII4x"), 96, 64

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def of(self, virtual):
        """@return {real: weight}; None: there is no such virtual server."""
        address, port = virtual.split(":")
        asked = self.HEADER.pack(socket.IPPROTO_TCP, *self.wire(address, port), 0, self.MOST)
        buffer = ctypes.create_string_buffer(asked, self.HEADER.size + self.ENTRY * self.MOST)
        length = ctypes.c_uint32(len(buffer))
        if self.libc.getsockopt(self.socket.fileno(), socket.IPPROTO_IP, self.GET_DESTS, buffer, ctypes.byref(length)) != 0:
            if ctypes.get_errno() == errno.ESRCH:
                return None
            raise OSError(ctypes.get_errno(), f"IP_VS_SO_GET_DESTS of {virtual}")
        found = {}
        for at in range(self.HEADER.size, len(buffer), self.ENTRY):
            address, port, _, weight = struct.unpack_from("=4sHxxIi", buffer, at)
            if port:
                found[f"{socket.inet_ntoa(address)}:{socket.ntohs(port)}"] = weight
        assert len(found) < self.MOST, virtual
        return found

    @staticmethod
    def wire(address, port):
        return struct.unpack("=I", socket.inet_aton(address))[0], socket.htons(int(port))


class Daemon:
    """`ipvsproxy run` in the background, its log in a file; killed at the end if it still runs."""

    def __init__(self, binary, kubeconfig, *flags):
        self.flags = ["--kubeconfig", kubeconfig, f"--hostname-override={NODE}", "--proxy-mode=ipvs", "--conntrack-max-per-core=0",
                      "--healthz-bind-address=127.0.0.1:10256", *flags]
        self.start(binary, "-v=2")

    @classmethod
    def configured(cls, binary, file):
        """With a configuration file and nothing else."""
        daemon = cls.__new__(cls)
        daemon.flags = ["--config", str(file)]
        daemon.start(binary)
        return daemon

    def start(self, binary, *more):
        self.binary, self.log_file = binary, tempfile.NamedTemporaryFile(prefix="daemon-", suffix=".log")
        self.process = subprocess.Popen([binary, "run", *more, *self.flags], stdout=self.log_file, stderr=self.log_file)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def log(self):
        lines = pathlib.Path(self.log_file.name).read_text().splitlines()
        return "\n".join(line for line in lines if "] FLAG: " not in line)

    def says(self, text, times=1, seconds=60):
        return comes_true(lambda: self.log().count(text) >= times, seconds)

    def rounds(self):
        """How many objects each round has changed."""
        return [int(count) for count in re.findall(r'"Synced".* changes=(\d+)', self.log())]

    def diff(self):
        """Exit status and text of `ipvsproxy diff` against the same API server."""
        done = subprocess.run([self.binary, "diff", *self.flags], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def rss_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


class Guard:
    """Looks at the kernel again and again, and remembers whenever a real server that must be there was not."""

    def __init__(self, must_stand):
        self.must_stand = must_stand  # {virtual: {real, …}}, replaced as a whole
        self.missing, self.looks, self.over = [], 0, False
        self.kernel = RealServers()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def look(self):
        self.looks += 1
        for virtual, reals in self.must_stand.items():  # before the kernel is read: what is added meanwhile need not be there yet
            seen = self.kernel.of(virtual)
            for real in reals & self.must_stand.get(virtual, set()):
                if (seen or {}).get(real, 0) == 0:
                    self.missing.append(f"{virtual} -> {real}: {seen}")

    def run(self):
        while not self.over:
            try:
                self.look()
            except Exception as error:  # a guard that cannot look has not seen that all is well
                self.missing.append(f"the guard cannot look: {error!r}")
                return
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.over = True
        self.thread.join()


def in_child(test):
    """Runs a test in a process and a namespace of its own. @return whether it passed."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            own_namespace()
            test()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

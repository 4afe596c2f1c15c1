"""Runs ipvsproxy on recorded inputs of kube-proxy 1.36's ipvs mode and compares what is then in the kernel.

Runs as root in a kernel with IPVS (tests/parity/run); IPVSPROXY names the program. Every case has a network
namespace of its own. The last line sums up.
"""

import argparse
import ctypes
import difflib
import fnmatch
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import traceback

from feeds import Api, Files

HERE = pathlib.Path(__file__).resolve().parent
BINARY = os.environ["IPVSPROXY"]
CASE_FOLDER = pathlib.Path("/run/case")
CLONE_NEWNET = 0x40000000


class Mismatch(Exception):
    """The kernel is not as it should be; the text says where."""


# --- deliberate differences from the recordings: (cases, file, number in docs/differences.md, what it does) ---


def echo_requests_are_answered(icmp):
    def edit(lines):
        at = next(i for i, line in enumerate(lines) if line.startswith("-A KUBE-IPVS-FILTER") and "REJECT" in line)
        return lines[:at] + [f"-A KUBE-IPVS-FILTER {icmp} -j RETURN"] + lines[at:]

    return edit


def never_a_source(lines):
    return [line.replace("scope global", "scope global deprecated") if " inet6 " in line else line for line in lines]


DIFFERENCES = [
    ("*", "iptables", "D-01", echo_requests_are_answered("-p icmp -m icmp --icmp-type 8")),
    ("*", "ip6tables", "D-01", echo_requests_are_answered("-p ipv6-icmp -m icmp6 --icmpv6-type 128")),
    ("*", "kube-ipvs0-addr", "D-22", never_a_source),
]


# --- reading the kernel, in the form of the recordings ---


def command(*argv, check=True, timeout=60, stdin=""):
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, close_fds=False)
    if check and done.returncode != 0:
        raise Mismatch(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def virtual_servers():
    lines = command("ipvsadm", "-Sn").stdout.splitlines()
    return sorted(re.sub(r" -M (255\.255\.255\.255|128)$| -M (255\.255\.255\.255|128)(?= )", "", line).rstrip() for line in lines)


def sets():
    lines = command("ipset", "save").stdout.splitlines()
    return sorted(re.sub(r" initval 0x[0-9a-f]+", "", line) for line in lines)


def tables(tool):
    """One canonical list: tables by name, chains by name, rules in order."""
    text = command(tool).stdout
    result = []
    for table in sorted(re.findall(r"^\*.*?^COMMIT$", text, re.M | re.S)):
        lines = [re.sub(r"^(:\S+ \S+) \[\d+:\d+\]$", r"\1 [0:0]", line) for line in table.splitlines()]
        rules = [line for line in lines if line.startswith("-A")]
        chains = sorted(line for line in lines if line.startswith(":"))
        if rules or any(" - [" in chain for chain in chains):
            result += lines[:1] + chains + order_of_outgoing(rules) + ["COMMIT"]
    return result


def order_of_outgoing(rules):
    """kube-proxy writes KUBE-IPVS-OUT-FILTER's rules in random order: they are compared as a set."""
    outgoing = "-A KUBE-IPVS-OUT-FILTER "
    places = [i for i, rule in enumerate(rules) if rule.startswith(outgoing)]
    for place, rule in zip(places, sorted(rules[i] for i in places)):
        rules[place] = rule
    return rules


def addresses():
    lines = command("ip", "-o", "addr", "show", "dev", "kube-ipvs0", check=False).stdout.splitlines()
    keep = (re.sub(r"^\d+: |\\.*$| (valid_lft|preferred_lft) \S+", "", line) for line in lines)
    return sorted(" ".join(line.split()) for line in keep)


def link():
    text = command("ip", "-o", "link", "show", "dev", "kube-ipvs0", check=False).stdout
    text = re.sub(r"^\d+: ", "", text.replace("\\", " "))
    return [" ".join(re.sub(r"link/ether \S+", "link/ether MAC", text).split())] if text else []


def sysctls(recorded):
    now = []
    for line in recorded:
        path = pathlib.Path("/proc/sys") / line.split(" = ")[0]
        value = path.read_text().strip() if path.exists() else "(missing)"
        now.append(f"{line.split(' = ')[0]} = {value}")
    return now


def timeouts():
    return [line.strip() for line in command("ipvsadm", "-L", "--timeout").stdout.splitlines()]


READERS = {
    "ipvs": virtual_servers,
    "ipset": sets,
    "iptables": lambda: tables("iptables-legacy-save"),
    "ip6tables": lambda: tables("ip6tables-legacy-save"),
    "kube-ipvs0-addr": addresses,
    "kube-ipvs0-link": link,
    "ipvs-timeouts": timeouts,
}


def snapshot():
    return {name: read() for name, read in READERS.items()}


def without_sizes(lines):
    """A hash's current size follows from how it was filled, not from what is in it."""
    return [re.sub(r" hashsize \d+", "", line) for line in lines]


# --- the recorded state ---


def recorded(case, folder, name):
    lines = (folder / f"{name}.txt").read_text().splitlines()
    for cases, file, _, edit in DIFFERENCES:
        if file == name and fnmatch.fnmatch(case.name, cases):
            lines = edit(lines)
    if name in ("ipvs", "ipset", "kube-ipvs0-addr"):
        lines = sorted(lines)
    if name in ("iptables", "ip6tables"):
        text = "\n".join(lines)
        lines = []
        for table in sorted(re.findall(r"^\*.*?^COMMIT$", text, re.M | re.S)):
            rows = table.splitlines()
            lines += rows[:1] + sorted(row for row in rows if row.startswith(":"))
            lines += order_of_outgoing([row for row in rows if row.startswith("-A")]) + ["COMMIT"]
    return [" ".join(line.split()) for line in lines if line.strip()]


def difference(name, wanted, found):
    return [line for line in difflib.unified_diff(wanted, found, f"recorded {name}", f"found {name}", "", "", 0, "") if not line.startswith("@@")]


def compare(case, folder, found):
    """The differences between the recorded state in `folder` and the kernel's, as text lines."""
    result = []
    for name, lines in found.items():
        wanted = recorded(case, folder, name)
        if name == "ipset":
            wanted, lines = without_sizes(wanted), without_sizes(lines)
        result += difference(name, wanted, [" ".join(line.split()) for line in lines])
    wanted = recorded(case, folder, "sysctls")
    result += difference("sysctls", wanted, [" ".join(line.split()) for line in sysctls(wanted)])
    return result


def expect_equal(what, before, after):
    wrong = [line for name in before for line in difference(name, before[name], after[name])]
    if wrong:
        raise Mismatch(f"{what}\n" + "\n".join(wrong))


# --- one case ---


def fresh_namespace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
    command("ip", "-batch", "-", stdin="""\
link set lo up
link add eth0 address 02:00:00:00:00:11 type dummy
link set eth0 up
addr add 192.168.10.11/24 dev eth0
addr add fd00:10::11/64 dev eth0 nodad
route add default via 192.168.10.1
route add default via fd00:10::1
""")
    CASE_FOLDER.mkdir(parents=True, exist_ok=True)


def shell(script):
    if script.exists():
        environment = {**os.environ, "guestd": str(HERE / "guestd")}
        done = subprocess.run(["sh", str(script)], capture_output=True, text=True, timeout=120, env=environment)
        return done.stdout
    return ""


def proxy(case, verb, *inputs, check=True, more=()):
    argv = [BINARY, verb, "--config", str(case / "config.yaml"), *more]
    for each in inputs:
        argv += ["-f", str(each)]
    return command(*argv, check=check)


class Daemon:
    """The daemon in the background: started, stopped, started again; its log is that of the last start."""

    def __init__(self, feed):
        self.argv, self.log = feed.argv, CASE_FOLDER / "proxy.log"

    def __enter__(self):
        self.start()
        return self

    def start(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=subprocess.STDOUT)

    def wait_until_ready(self):
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            if "The node is as the Services ask" in self.text() and '"IPv6"' in fetch("http://127.0.0.1:10256/livez"):
                return
            time.sleep(0.1)
        raise Mismatch("run does not become ready\n" + self.text())

    def text(self):
        return self.log.read_text()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        if status != 0:
            raise Mismatch(f"SIGTERM ends run with status {status}, not 0 (D-19)\n" + self.text())

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def fetch(url):
    """The answer as recorded: status, the headers that count, body with times replaced."""
    import http.client  # slow to load in the guest, and few cases fetch
    host = url.split("/")[2]
    try:
        connection = http.client.HTTPConnection(host, timeout=5)
        connection.request("GET", "/" + url.split("/", 3)[3])
        answer = connection.getresponse()
        body = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return "(no answer)"
    counted = "".join(
        f"{name}: {value}\n" for name, value in answer.getheaders()
        if name in ("Content-Type", "X-Content-Type-Options", "X-Load-Balancing-Endpoint-Weight"))
    body = re.sub(r'"\d{4}-\d\d-\d\dT[^"]*"', '"TIME"', body)
    return f"HTTP/1.1 {answer.status} {answer.reason}\n{counted}\n{body}"


def compare_pages(folder):
    wrong = []
    pages = {"healthz": "http://127.0.0.1:10256/healthz", "livez": "http://127.0.0.1:10256/livez"}
    for name, url in pages.items():
        wanted = re.sub(r"Content-Length: \d+\n", "", (folder / f"{name}.txt").read_text())
        wrong += difference(name, wanted.splitlines(), fetch(url).splitlines())
    wanted = (folder / "proxyMode.txt").read_text().split()
    wrong += difference("proxyMode", wanted, fetch("http://127.0.0.1:10249/proxyMode").splitlines()[-1:])
    checks = folder / "healthcheck-nodeport.txt"
    if checks.exists():
        for block in re.split(r"^== ", checks.read_text(), flags=re.M)[1:]:
            title, _, wanted = block.partition("\n")
            wanted = re.sub(r"Content-Length: \d+\n", "", wanted)
            wrong += difference(title, wanted.strip().splitlines(), fetch(title.split()[-1]).strip().splitlines())
    if wrong:
        raise Mismatch("pages of the daemon\n" + "\n".join(wrong))


def check_cleanup(case, before, applied):
    """What the proxy made is gone; what was there and outlived the proxy's own start is not ours (D-14)."""
    done = command(BINARY, "cleanup", "--config", str(case / "config.yaml"), check=False)
    if done.returncode != 0:
        raise Mismatch(f"cleanup: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    wanted = {name: before[name] for name in ("ipset", "iptables", "ip6tables")}
    wanted["ipvs"] = [line for line in before["ipvs"] if line in applied["ipvs"]]
    wanted["kube-ipvs0-link"] = []
    found = snapshot()
    expect_equal("cleanup leaves or takes something", wanted, {name: found[name] for name in wanted})


def check_settled(case, objects, applied):
    told = proxy(case, "diff", objects, check=False)
    if told.returncode != 0:
        raise Mismatch(f"diff after apply: exit status {told.returncode}\n{told.stdout}{told.stderr}")
    again = proxy(case, "apply", objects, more=("-o", "json"))
    expect_equal("the second apply changes the kernel", applied, snapshot())
    try:
        json.loads(again.stdout)
    except ValueError:
        raise Mismatch(f"apply -o json prints no JSON:\n{again.stdout}{again.stderr}") from None


def run_static(case):
    fresh_namespace()
    shell(case / "setup.sh")
    before = snapshot()
    objects = case / "out/objects-server.json"
    proxy(case, "apply", objects)
    applied = snapshot()
    if wrong := compare(case, case / "out", applied):
        raise Mismatch("after apply of what the API server serves\n" + "\n".join(wrong))
    check_settled(case, objects, applied)
    check_cleanup(case, before, applied)


def run_manifests(case):
    """The same from the manifests as a person writes them, defaults left out."""
    fresh_namespace()
    shell(case / "setup.sh")
    proxy(case, "apply", case / "objects.yaml", HERE / "kubernetes.yaml")
    if wrong := compare(case, case / "out", snapshot()):
        raise Mismatch("after apply of the manifests\n" + "\n".join(wrong))


def settle(case, folder, seconds):
    """Waits until the kernel is as recorded. @return its state. @throws Mismatch when it is not so in time."""
    deadline = time.monotonic() + seconds
    while wrong := compare(case, folder, found := snapshot()):
        if time.monotonic() > deadline:
            raise Mismatch(f"{folder.name}: not as recorded after {seconds} s\n" + "\n".join(wrong))
        time.sleep(0.3)
    return found


def normal_probe(text):
    """Times pass and rr starts anywhere (D-17): lines are compared without order and column widths."""
    text = re.sub(r"[0-9]{2}:[0-9]{2}", "MM:SS", text)
    return sorted(" ".join(line.split()) for line in text.splitlines())


def run_steps(case):
    """Follows a daemon through the recorded steps while its manifests change."""
    follow_steps(case, Files)


def run_api(case):
    """As kube-proxy runs: under its name, with the case's configuration, from the API server, through the steps if there are any."""
    follow_steps(case, Api)


def follow_steps(case, kind):
    fresh_namespace()
    shell(case / "setup.sh")
    feed = kind(BINARY, case, CASE_FOLDER)
    feed.serve(case / "out/objects-server.json")
    with Daemon(feed) as daemon:
        try:
            last = begin(case, daemon)
            for step in recorded_steps(case):
                last = run_step(case, step, feed, daemon)
            daemon.stop()
            expect_equal("SIGTERM changes the kernel (D-19)", last, snapshot())
        except Mismatch as wrong:
            raise Mismatch(f"{wrong}\n{daemon.text()[-3000:]}") from None


def begin(case, daemon):
    """From an empty node to the recorded state, which another start then adopts. @return the kernel's state."""
    daemon.wait_until_ready()
    first = snapshot()
    if wrong := compare(case, case / "out", first):
        raise Mismatch("once the daemon is ready\n" + "\n".join(wrong))
    compare_pages(case / "out")
    daemon.stop()
    daemon.start()
    daemon.wait_until_ready()
    expect_equal("the next start changes a settled node", first, snapshot())
    return first


def recorded_steps(case):
    return sorted((case / "steps").iterdir()) if (case / "steps").exists() else []


def run_step(case, step, feed, daemon):
    after = case / "out/steps" / step.name
    shell(step / "before.sh")
    feed.serve(after / "objects-server.json")
    if (step / "proxy").exists():
        do_to_proxy((step / "proxy").read_text().strip(), case, daemon)
    shell(step / "after.sh")
    found = settle(case, after, 15)
    said = shell(step / "probe.sh")
    if (after / "probe.txt").exists():
        wrong = difference("probe", normal_probe((after / "probe.txt").read_text()), normal_probe(said))
        if wrong:
            raise Mismatch(f"{step.name}\n" + "\n".join(wrong))
    return found


def do_to_proxy(verb, case, daemon):
    if verb == "stop":
        daemon.stop()
    elif verb == "start":
        daemon.start()
    elif verb == "cleanup":
        command(BINARY, "cleanup", "--config", str(case / "config.yaml"))
    else:
        raise Mismatch(f"no such thing to do to the proxy: {verb}")


def in_child(function, case):
    """Runs one part of a case in a process of its own, with its namespace. Returns what is wrong, or nothing."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.setpgid(0, 0)
        try:
            subprocess.run(["rm", "-rf", str(CASE_FOLDER)], check=True)
            function(case)
            problem = ""
        except Mismatch as mismatch:
            problem = str(mismatch)
        except BaseException:  # pylint: disable=broad-except
            problem = traceback.format_exc()
        with os.fdopen(write, "w") as out:
            out.write(problem)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answers:
        problem = answers.read()
    os.waitpid(child, 0)
    try:
        os.killpg(child, signal.SIGKILL)  # what setup.sh left running
    except ProcessLookupError:
        pass
    return problem


def prepare_kernel():
    """What the recordings had: modules loaded, and a table size that a namespace cannot set by itself."""
    for module in ("ip_vs_lblc", "ip_vs_lblcr", "iptable_nat", "iptable_filter", "ip6table_nat", "ip6table_filter", "br_netfilter"):
        subprocess.run(["modprobe", "-q", module], check=False)
    pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_max").write_text("131072")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("-d", "--cases", type=pathlib.Path, default=HERE / "cases", help="folder of cases")
    parser.add_argument("case", nargs="*", default=["*"], help="names or patterns; default: all")
    options = parser.parse_args()
    chosen = [case for case in sorted(options.cases.iterdir())
              if (case / "config.yaml").exists() and any(fnmatch.fnmatch(case.name, p) for p in options.case)]
    if not chosen:
        sys.exit(f"no case {' '.join(options.case)} in {options.cases}")
    prepare_kernel()
    passed = failed = 0
    for case in chosen:
        for part in [run_static, run_manifests, run_api] + [run_steps] * bool(recorded_steps(case)):
            begin = time.monotonic()
            problem = in_child(part, case)
            name = f"{case.name} {part.__name__.removeprefix('run_')} ({time.monotonic() - begin:.1f} s)"
            print(f"FAILED {name}: {problem}" if problem else f"ok     {name}", flush=True)
            failed, passed = failed + bool(problem), passed + (not problem)
    numbers = sorted({number for _, _, number, _ in DIFFERENCES})
    print(f"deliberate differences applied to the recordings: {' '.join(numbers)}")
    print(f"parity: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

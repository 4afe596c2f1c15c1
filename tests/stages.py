"""The stages of tests/check: what each builds, and what it runs."""

import os
import pathlib
import re
import shutil
import subprocess
import threading

TOP = pathlib.Path(__file__).resolve().parent.parent
RUN = "tests/kernel/run"
FUZZ_SECONDS = os.environ.get("FUZZ_SECONDS", "5")

# Test builds are to be compiled quickly: with sanitizers -O0 takes half the time of -O1, and a library's sources in one
# unit (-Dunity) less than one by one, for much of it goes into headers. g++ 12 warns of things that are not there once
# its sanitizers have rewritten the code; the other builds keep -Werror, and the release build single sources.
# UBSan's tables hold 800,000 addresses; a program that can lie anywhere (PIE) mends them all at each start, which
# takes it seconds in user-mode Linux.
QUICK = ["-Dbuildtype=plain", "-Doptimization=0", "-Ddebug=true", "-Dunity=on", "-Dunity_size=20", "-Dwerror=false",
    "-Dcpp_args=-g1 -fno-sanitize-recover=all", "-Dcpp_link_args=-no-pie"]
CLANG = ["-Dbuildtype=plain", "-Doptimization=1", "-Ddebug=true", "-Dunity=on", "-Dunity_size=20", "-Db_lundef=false"]
# What one source has may shadow, or take the place of, what another has: single sources tell.
IN_UNITS = "-g1 -fno-sanitize-recover=all -Wno-shadow -Wno-unused-function"
BUILDS = {
    "build": ("g++", ["-Dbuildtype=release", "-Doptimization=2"]),
    "build-asan": ("g++", [*QUICK, "-Db_sanitize=address,undefined"]),
    # ASan and TSan need more address space than the user-mode kernel has; UBSan runs there.
    "build-ubsan": ("g++", [*QUICK, "-Db_sanitize=undefined"]),
    # g++ 12 warns that its own TSan does not see Asio's fences.
    "build-tsan": ("clang++", [*CLANG, f"-Dcpp_args={IN_UNITS}", "-Db_sanitize=thread"]),
    "build-fuzz": ("clang++", [*CLANG, f"-Dcpp_args={IN_UNITS} -fsanitize=fuzzer-no-link",
        "-Db_sanitize=address,undefined", "-Dfuzz=true"]),
}


class Failed(Exception):
    """A step that ended the stage; what it printed has been said already."""


stage = threading.local()  # .said: what the stage of this thread has printed; .live: whether it is to be seen at once


def say(text):
    stage.said.append(text)
    if stage.live:
        print(text, end="", flush=True)


def jobs():
    """As many compilers as there are cores, but no more than memory feeds: the largest takes about 1.3 GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // (1500 << 20)))


def run(*command, env=None, quiet=False):
    """Runs a command, shows its output (quiet: only if it fails) and returns it. @throws Failed when its status is not 0."""
    lines = []
    with subprocess.Popen(
        command, cwd=TOP, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as process:
        for line in process.stdout:
            if not quiet:
                say(line)
            lines.append(line)
    output = "".join(lines)
    if process.returncode != 0:
        if quiet:
            say(output)
        raise Failed(output)
    return output


def prepare(folder):
    """Sets a build folder up; anew when its options have changed. One that was set up by hand is left as it is."""
    compiler, options = BUILDS[folder]
    kept, now = TOP / folder / "check-options", " ".join([compiler, *options])
    stale = kept.exists() and kept.read_text() != now
    if stale or not (TOP / folder / "build.ninja").exists():
        cached = f"ccache {compiler}" if shutil.which("ccache") else compiler
        run("meson", "setup", *(["--wipe"] if stale else []), folder, *options, env={"CXX": cached}, quiet=True)
        kept.write_text(now)


def build(folder, *wanted):
    prepare(folder)
    run("ninja", "-C", folder, f"-j{jobs()}", "--quiet", *wanted, quiet=True)


def programs(folder, pattern):
    """The targets of a build that are linked and have such a path."""
    prepare(folder)
    build_files = run_quietly("ninja", "-C", folder, "-t", "targets", "all")
    found = [m.group(1) for m in re.finditer(r"^(\S+): cpp_LINKER", build_files, re.M) if re.fullmatch(pattern, m.group(1))]
    if not found:
        raise Failed(f"no program {pattern} in {folder}")
    return found


def programs_with(folder, tag):
    """The test programs of those folders where a test has this tag."""
    folders = {str(pathlib.Path(name).parent) for name in sources("tests/*_test.cpp") if tag in (TOP / name).read_text()}
    return [name for name in programs(folder, r"tests/\S+_test") if str(pathlib.Path(name).parent) in folders]


def run_quietly(*command):
    return subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout


def sources(*globs):
    return [name for name in run_quietly("git", "ls-files", *globs).split("\n") if name]


def counts(output):
    """The last `N passed, N failed` of a stage; a stage that does not count is one test."""
    found = re.findall(r"(\d+) passed, (\d+) failed", output or "")
    return tuple(map(int, found[-1])) if found else None


def stage_format():
    done = subprocess.run(["clang-format", "--dry-run", *sources("*.cpp", "*.h")], cwd=TOP, capture_output=True, text=True, check=False)
    if wrong := sorted(set(re.findall(r"^([^:\s]+):\d+:\d+: warning: code should be", done.stderr, re.M))):
        say(f"clang-format -i {' '.join(wrong)}\n")
        raise Failed("")


def stage_structure():
    return run("tests/structure/includes")


def stage_build():
    """The release build: what `make build` gives and the demo runs."""


def stage_docs():
    """The man page against the program's help, and the links between pages."""
    run("tests/docs/pages", "build/ipvsproxy")


def stage_unit():
    """All test programs, without their hidden cases."""
    return run("tests/run-all", "build-asan",
        env={"ASAN_OPTIONS": "print_legend=0", "UBSAN_OPTIONS": "print_stacktrace=1", "IPVSPROXY": str(TOP / "build-asan/ipvsproxy")})


def stage_kernel():
    """The hidden cases that need a kernel with IPVS."""
    return run(RUN, "-t", "1800", "--all", "build-ubsan", env={"IPVSPROXY": str(TOP / "build-ubsan/ipvsproxy")})


def stage_nft():
    """The nft variant of iptables, which the user-mode kernel lacks: on Debian's stock kernel in qemu."""
    passed = 0
    for program in programs_with("build-ubsan", "[.nft]"):
        output = run("tests/kernel/qemu/run", "-t", "600", "-d", "build/qemu", "-f", "tests/proxy/iptables/data",
            f"build-ubsan/{program}", "-r", "lines", "[.nft]")
        if not (count := re.search(r"All tests passed .* in (\d+) test case", output)):
            raise Failed(output)
        passed += int(count.group(1))
    return f"{passed} passed, 0 failed"


def stage_parity():
    return run("tests/parity/run", "build-ubsan")


def stage_package():
    """Manifests, unit and image as far as no package is built; on a real kernel that the daemon's rights are enough, and kubectl's questions."""
    outputs = [run(f"tests/install/{each}", "build/ipvsproxy") for each in ("manifests", "rights", "pod", "asked")]
    return f"{sum(counts(each)[0] for each in outputs)} passed, 0 failed"


def stage_install():
    """The Debian package and the image, built and used in fresh systems: some minutes, and many packages from Debian."""
    return run("tests/install/run")


def stage_faults():
    """The whole program against an API server that fails in every way, and on a kernel that lacks modules."""
    outputs = [run(RUN, "-t", "1200", f"tests/faults/{each}.py", "build-ubsan/ipvsproxy") for each in ("faults", "modules")]
    return f"{sum(counts(each)[0] for each in outputs)} passed, 0 failed"


def stage_soak():
    """Churn while the API server is cut every few seconds; SOAK_SECONDS says for how long."""
    limit = str(int(4 * float(os.environ.get("SOAK_SECONDS", "60")) + 400))  # a slow machine takes longer for as many changes
    return run(RUN, "-t", limit, "tests/soak/soak.py", "build/ipvsproxy")


def stage_demo():
    run("tests/demo/run", "build/ipvsproxy")


def stage_bench():
    """Instructions, netlink requests and memory, counted, against the baseline."""
    return run("tests/bench/run", "--check", "build")


def stage_race():
    """The one loop and its threads, under TSan."""
    return run("tests/run-all", "build-tsan/tests/proxy/sync")


def stage_fuzz():
    """Each decoder on its kept corpus, then some seconds beyond it."""
    passed, failed = 0, []
    for program in programs("build-fuzz", FUZZ):
        name = pathlib.Path(program).name.removesuffix("_fuzz")
        found = TOP / "build-fuzz" / "found" / name
        found.mkdir(parents=True, exist_ok=True)
        kept = TOP / "tests/fuzz/corpus" / name
        try:
            run(f"build-fuzz/{program}", f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048",
                f"-artifact_prefix=build-fuzz/{name}-", str(found), *([str(kept)] if kept.is_dir() else []), quiet=True)
            passed += 1
        except Failed:
            failed.append(name)
            say(f"FAILED {name}_fuzz\n")
    say(f"fuzz: {passed} passed, {len(failed)} failed\n")
    if failed or not passed:
        raise Failed(f"{passed} passed, {len(failed)} failed")
    return f"{passed} passed, 0 failed"


def stage_tidy():
    """All of clang-tidy; TIDY names the sources (default: all) for a quicker look."""
    files = os.environ.get("TIDY", "").split() or sources("netlink/*.cpp", "ipvs/*.cpp", "ipset/*.cpp", "proxy/*.cpp")
    run("sh", "-c", 'printf "%s\\n" "$@" | xargs -n 1 -P "$0" clang-tidy -p build --quiet --warnings-as-errors="*"',
        str(jobs()), *files)


FUZZ = r"tests/fuzz/\w+_fuzz"
RELEASE = ("build", lambda: ["ipvsproxy"])
UBSAN = ("build-ubsan", lambda: ["ipvsproxy"])


class Stage:
    """@param needs the build that is to be made before, and what of it
    @param alone whether it is to run beside no other stage"""

    def __init__(self, test, needs=None, alone=False):
        self.test, self.needs, self.alone = test, needs, alone


# In the order in which their builds are made and they begin: what takes long comes first.
STAGES = {
    "format": Stage(stage_format),
    "structure": Stage(stage_structure),
    "kernel": Stage(stage_kernel, ("build-ubsan", lambda: ["ipvsproxy", *programs_with("build-ubsan", "[.kernel]")])),
    "parity": Stage(stage_parity, UBSAN),
    "faults": Stage(stage_faults, UBSAN),
    "nft": Stage(stage_nft, ("build-ubsan", lambda: programs_with("build-ubsan", "[.nft]"))),
    "unit": Stage(stage_unit, ("build-asan", lambda: ["ipvsproxy", *programs("build-asan", r"tests/\S+_test")])),
    "build": Stage(stage_build, RELEASE),
    "docs": Stage(stage_docs, RELEASE),
    "soak": Stage(stage_soak, RELEASE),
    "package": Stage(stage_package, RELEASE),
    "demo": Stage(stage_demo, RELEASE),
    "race": Stage(stage_race, ("build-tsan", lambda: programs("build-tsan", r"tests/proxy/sync/\w+_test"))),
    "fuzz": Stage(stage_fuzz, ("build-fuzz", lambda: programs("build-fuzz", FUZZ))),
    "bench": Stage(stage_bench, ("build", lambda: ["ipvsproxy", "tests/bench/bench"]), alone=True),
    "tidy": Stage(stage_tidy, ("build", lambda: ["build.ninja"]), alone=True),
    "install": Stage(stage_install, alone=True),
}
# Not part of a plain run: `make lint`, and `tests/check install` before a release.
ON_DEMAND = {"tidy", "install"}

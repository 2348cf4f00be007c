# SPDX-License-Identifier: Apache-2.0
"""Break builds at random system calls, and look at what stays.

crash.py kill|fail|cut|crowd [--times N] [--seed S] [--only I] [--state FILE] [--seconds S]

kill	SIGKILL for the builder, or for any process of its tree, at a random call of the tree
fail	a random call of the builder's own processes fails (ENOSPC, EIO, EMFILE, ...), once or from then on
cut	the power fails at a random call: the store is on a file system of its own that ends without
	another write, and is then mounted again under another boot's id
crowd	16 builds of overlapping Dockerfiles at once, beside a loop of prunes

What is broken is a build (native or emulated, with and without cache), an export, a prune, a tag, while
other builds use the same store. Afterwards the same command succeeds with the right digest; blobs are what
their names say, records name what is there; no mount, process, control group, ingest file, lease or lock
stays. A failing call may also be survived, with the right digest.

Round I of seed S is always the same choice: --only I repeats it. With --state FILE the campaign goes on
where it was stopped, up to N rounds in all. Needs root. $XBUILD and $MEDDLE are the programs.
"""
import argparse
import collections
import fcntl
import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
XBUILD = os.path.abspath(os.environ.get("XBUILD", os.path.join(TOP, "build/xbuild")))
MEDDLE = os.path.abspath(os.environ.get("MEDDLE", os.path.join(TOP, "build/tests/crash/meddle")))
TOOLS = os.path.join(TOP, "tests/e2e/tools.py")
BUSYBOX_ARM64 = os.path.join(os.environ.get("XB_E2E_CACHE", os.path.join(TOP, "build/e2e")), "busybox-arm64")
BOOT_ID = "/proc/sys/kernel/random/boot_id"
CGROUPS = "/sys/fs/cgroup"
# What a failed call may end in: a fault of the machine, of reading the context, of a step that could not
# be run, of emulation, of the store. Never: usage, the network, a signal, a sanitizer.
GOOD_FAULTS = (1, 3, 4, 5, 8)
# Before main() it is the dynamic loader that fails, and says so.
LOADER_SAYS = ("error while loading shared libraries", "cannot allocate TLS data structures")

DOCKERFILE = """\
FROM tiny AS made
COPY . /ctx/
ADD part.tar /added/
RUN sha256sum /ctx/one /ctx/two /added/in > /sums
FROM tiny
COPY --from=made /sums /out/
RUN --mount=type=cache,target=/c test -s /out/sums && mkdir /new && mv /out/sums /new/sums && echo {name} > /new/name
WORKDIR /w/x
"""


def run(command, seconds=900, env=None, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=seconds,
                          env={**os.environ, **(env or {})}, **more)


def sha256_file(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def tree_digest(path):
    """Names, modes and contents of a directory that was exported."""
    lines = []
    for where, dirs, files in os.walk(path):
        for name in sorted(dirs + files):
            full = os.path.join(where, name)
            mode = os.lstat(full).st_mode
            data = os.readlink(full) if os.path.islink(full) else sha256_file(full) if name in files else ""
            lines.append(f"{os.path.relpath(full, path)} {mode:o} {data}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


class Workload:
    """A store, contexts, and the commands that are broken."""

    def __init__(self, work, store):
        self.work, self.store = work, store
        self.gate = threading.Lock()  # held by each of the other builds, and by whoever looks at the store
        self.tiny = os.path.join(work, "tiny")
        platforms = ["linux/amd64=/bin/busybox"]
        self.emulated = os.path.exists(BUSYBOX_ARM64) and shutil.which("qemu-aarch64-static")
        if self.emulated:
            platforms.append(f"linux/arm64={BUSYBOX_ARM64}")
        os.makedirs(work, exist_ok=True)
        if not os.path.exists(self.tiny):
            subprocess.run([sys.executable, TOOLS, "tiny", self.tiny, "tiny", *platforms], check=True)
        for name in ("a", "b"):
            self.make_context(name)
        self.expected, self.calls, self.builder = {}, {}, 0
        os.environ.update(SOURCE_DATE_EPOCH="1700000000", LC_ALL="C", TMPDIR=os.path.join(work, "tmp"))
        os.makedirs(os.environ["TMPDIR"], exist_ok=True)

    def make_context(self, name):
        path = os.path.join(self.work, name)
        os.makedirs(path, exist_ok=True)
        for file, text in (("one", "1\n"), ("two", "2\n" * 50000), ("Dockerfile", DOCKERFILE.format(name=name))):
            with open(os.path.join(path, file), "w", encoding="ascii") as f:
                f.write(text)
            os.utime(os.path.join(path, file), (1600000000, 1600000000))
        with tarfile.open(os.path.join(path, "part.tar"), "w") as tar:
            info = tarfile.TarInfo("in")
            tar.addfile(info)
        os.utime(os.path.join(path, "part.tar"), (1600000000, 1600000000))

    def build(self, name, *more, platform="linux/amd64"):
        return [XBUILD, "build", "-q", "--root", self.store, "--build-context", f"tiny=oci-layout://{self.tiny}:tiny",
                "--platform", platform, *more, os.path.join(self.work, name)]

    def commands(self):
        out, local = os.path.join(self.work, "out.tar"), os.path.join(self.work, "local")
        root = ["--root", self.store]
        made = {
            "build": self.build("a", "-t", "a:1"),
            "anew": self.build("a", "-t", "a:1", "--no-cache"),
            "oci": self.build("a", "--no-cache", "-o", f"type=oci,dest={out}"),
            "local": self.build("a", "--no-cache", "-o", f"type=local,dest={local}"),
            "prune": [XBUILD, "cache", "prune", *root],
            "prune-all": [XBUILD, "cache", "prune", "--all", *root],
            "tag": [XBUILD, "tag", *root, "b:1", "c:1"],
        }
        if self.emulated:
            made["emulated"] = self.build("a", "-t", "m:1", "--no-cache", platform="linux/amd64,linux/arm64")
        return made

    def outcome(self, what, result):
        """What a user gets of a command that succeeded."""
        if what in ("build", "anew", "emulated"):
            return result.stdout.decode().strip()
        if what == "oci":
            return sha256_file(os.path.join(self.work, "out.tar"))
        if what == "local":
            return tree_digest(os.path.join(self.work, "local"))
        return ""

    def learn(self):
        """The right results, and how many calls each command makes."""
        for command in (self.build("b", "-t", "b:1"), self.build("b", "-t", "keep:1")):
            self.keep = self.must(command)
        for what, command in self.commands().items():
            self.must(command) if what == "build" else None
            for kind, env in (("kill", {}), ("fail", {"MEDDLE_ERROR": "0"})):
                result, report = self.meddle("count", 0, command, env)
                if result.returncode != 0:
                    sys.exit(f"undisturbed, `{what}` ends with {result.returncode}: {result.stderr.decode()}")
                self.calls[what, kind] = report["calls"]
            self.expected[what] = self.outcome(what, result)
            self.must(self.build("b", "-t", "b:1"))
        self.must(self.build("b", "-t", "keep:1"))

    def must(self, command):
        result = run(command)
        if result.returncode != 0:
            sys.exit(f"{command}: {result.returncode}: {result.stderr.decode()}")
        return result.stdout.decode().strip()

    def meddle(self, mode, n, command, env=None):
        report = os.path.join(self.work, "report")
        result = run([MEDDLE, mode, str(n), *command],
                     env={"MEDDLE_REPORT": report, "MEDDLE_PROGRAM": XBUILD, "ASAN_OPTIONS": "detect_leaks=0",
                          **(env or {})})
        with open(report, encoding="ascii") as f:
            words = f.read().split()
        numbers = dict(zip(words[::2], map(int, words[1::2])))
        self.builder = numbers["builder"]
        return result, numbers

    # what stays

    def machine(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            return set(f.read().splitlines())

    def leftovers(self):
        wrong = [f"left: {where}/{name}" for where in ("ingest", "leases", "locks")
                 for name in os.listdir(os.path.join(self.store, where)) if (where, name) != ("locks", "store")]
        wrong += [f"left: {name}" for name in os.listdir(self.store) if name.startswith(".")]
        wrong += [f"left in TMPDIR: {name}" for name in os.listdir(os.environ["TMPDIR"])]
        wrong += [f"left: {name}" for name in os.listdir(self.work) if "partial" in name]
        return wrong

    def lasting_leftovers(self):
        """What many commands do not remove: on a busy disk one may end before it has removed all."""
        for _ in range(30):
            if not self.leftovers():
                break
            run([XBUILD, "images", "--root", self.store])
        return self.leftovers()

    def books(self):
        """Blobs are what their names say; records, snapshots and tags name what is there."""
        blobs = os.path.join(self.store, "blobs/sha256")
        wrong = [f"blob {name[:12]} is damaged" for name in os.listdir(blobs)
                 if sha256_file(os.path.join(blobs, name)) != name]
        snapshots = set(os.listdir(os.path.join(self.store, "snapshots")))
        with sqlite3.connect(os.path.join(self.store, "xbuild.db")) as db:
            rows = list(db.execute("select snapshot, blob, blob_size from record"))
            wrong += [f"database: {row[0]}" for row in db.execute("pragma integrity_check") if row[0] != "ok"]
        db.close()
        known = {row[0] for row in rows}
        wrong += [f"snapshot {name} is in no record" for name in snapshots - known]
        for snapshot, blob, size in rows:
            path = os.path.join(blobs, blob[7:])
            if snapshot and snapshot not in snapshots:
                wrong.append(f"record without snapshot {snapshot}")
            if blob and (not os.path.exists(path) or os.path.getsize(path) != size):
                wrong.append(f"record without blob {blob}")
        return wrong + self.tags(blobs)

    def tags(self, blobs):
        def walk(digest):
            path = os.path.join(blobs, digest[7:])
            if not os.path.exists(path):
                return [f"a tag needs {digest}"]
            if sha256_file(path) != digest[7:]:
                return [f"{digest}, named by a tag, is damaged"]
            with open(path, "rb") as f:
                data = f.read()
            if not data.startswith(b"{"):
                return []
            document = json.loads(data)
            parts = document.get("manifests", []) + document.get("layers", []) + [document.get("config") or {}]
            return [line for part in parts if "digest" in part for line in walk(part["digest"])]

        with open(os.path.join(self.store, "index.json"), encoding="utf-8") as f:
            index = json.load(f)
        return [line for tag in index["manifests"] for line in walk(tag["digest"])]

    def look(self, before, what):
        """The same command again, then everything that could be wrong."""
        result = run(self.commands()[what])
        wrong = []
        if result.returncode != 0:
            wrong.append(f"the next one ends with {result.returncode}: {result.stderr.decode()[-500:]}")
        elif self.outcome(what, result) != self.expected[what]:
            wrong.append(f"the next one gives {self.outcome(what, result)}, not {self.expected[what]}")
        with self.gate:
            # a step that was run anew leaves its older snapshot to the next command
            check = run([XBUILD, "cache", "check", "--root", self.store])
            if check.returncode != 0:
                wrong.append(f"cache check: {check.stdout.decode()} {check.stderr.decode()}")
            wrong += self.lasting_leftovers() + self.books()
            # others' builds have control groups, too: of ours the name has the process
            wrong += [f"control group: {where}/{name}" for where, dirs, _ in os.walk(CGROUPS) for name in dirs
                      if name.startswith(f"xbuild-{self.builder}-")]
        wrong += [f"mounted: {line}" for line in self.machine() - before]
        again = run(self.build("b", "-t", "b:1"))
        if again.returncode != 0 or again.stdout.decode().strip() != self.keep:
            wrong.append(f"another build: {again.returncode} {again.stdout} {again.stderr.decode()[-500:]}")
        return wrong


class Others(threading.Thread):
    """Builds that are nobody's victim: each has to succeed with the right digest."""

    def __init__(self, load):
        super().__init__(daemon=True)
        self.load, self.wrong, self.count, self.stop = load, [], 0, threading.Event()

    def run(self):
        while not self.stop.is_set():
            with self.load.gate:
                result = run(self.load.build("b", "-t", "b:1", *(["--no-cache"] if self.count % 2 else [])))
            self.count += 1
            if result.returncode != 0 or result.stdout.decode().strip() != self.load.keep:
                self.wrong.append(f"a build beside: {result.returncode} {result.stdout} {result.stderr.decode()}")
            time.sleep(0.05)


def kill_round(load, chance):
    what = chance.choice(sorted(load.commands()) + ["anew", "anew", "build"])
    mode = chance.choice(("self", "builder"))
    n = chance.randint(1, load.calls[what, "kill"])
    before = load.machine()
    result, report = load.meddle(mode, n, load.commands()[what])
    wrong = []
    if report["left"] or report["hang"]:
        wrong.append(f"processes left: {report['left']}, hang: {report['hang']}")
    if result.returncode == 0 and load.outcome(what, result) != load.expected[what]:
        wrong.append("it ended well, with a wrong result")
    if mode == "self" and result.returncode not in (0, 137, *GOOD_FAULTS):
        wrong.append(f"exit status {result.returncode}: {result.stderr.decode()[-500:]}")
    done = report["call"] >= 0
    return what, f"{mode} {n} call {report['call']}", done, wrong + load.look(before, what)


def fail_round(load, chance):
    what = chance.choice(sorted(load.commands()) + ["anew", "anew", "build"])
    n = chance.randint(1, load.calls[what, "fail"])
    env = {"MEDDLE_ERROR": str(chance.randint(0, 999))}
    if chance.random() < 0.3:
        env["MEDDLE_LASTING"] = "1"
    before = load.machine()
    result, report = load.meddle("fail", n, load.commands()[what], env)
    wrong = []
    text = result.stderr.decode("utf-8", "replace")
    if report["left"] or report["hang"]:
        wrong.append(f"processes left: {report['left']}, hang: {report['hang']}")
    if result.returncode == 0:
        if load.outcome(what, result) != load.expected[what]:
            wrong.append("it ended well, with a wrong result")
    elif result.returncode not in GOOD_FAULTS:
        if not (result.returncode == 127 and any(words in text for words in LOADER_SAYS)):
            wrong.append(f"exit status {result.returncode}: {text[-500:]}")
    elif not text.strip():
        wrong.append(f"exit status {result.returncode} without a word")
    how = f"fail {n} {env} call {report['call']} errno {report['error']} status {result.returncode}"
    if result.returncode:
        how += ": " + "\n    | ".join(text.strip().splitlines())[:600]
    return what, how, report["call"] >= 0, wrong + load.look(before, what)


# ---- power cuts ----------------------------------------------------------------------------------

EXT4 = ("data=ordered", "data=writeback,nodelalloc", "data=ordered,nodelalloc", "data=writeback")


class Disk:
    """A file system that can be cut off."""

    def __init__(self, work):
        self.image, self.path = os.path.join(work, "disk.img"), os.path.join(work, "disk")
        os.makedirs(self.path, exist_ok=True)
        with open(self.image, "wb") as f:
            f.truncate(256 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)

    def mount(self, options):
        subprocess.run(["mount", "-o", f"loop,commit=1,{options}", self.image, self.path], check=True)

    def umount(self):
        """Until nobody has it, also not in a mount namespace whose last process is still ending."""
        for _ in range(200):
            if os.path.ismount(self.path):
                subprocess.run(["umount", self.path], capture_output=True, check=False)
            elif not subprocess.run(["losetup", "-j", self.image], capture_output=True, check=False).stdout:
                return
            time.sleep(0.05)
        sys.exit(f"{self.path} stays busy")


def hammer(path, stop):
    """Have the journal written often: names and sizes are then on the disk long before data is."""
    try:
        fd = os.open(os.path.join(path, "hammer"), os.O_WRONLY | os.O_CREAT)
        while not stop.is_set():
            os.write(fd, b"x")
            os.fsync(fd)
            time.sleep(0.005)
    except OSError:
        pass
    os.close(fd)


def new_boot(load, number):
    name = os.path.join(load.work, "boot_id")
    with open(name, "w", encoding="ascii") as f:
        f.write(f"{number:08x}-0000-4000-8000-000000000000\n")
    subprocess.run(["umount", BOOT_ID], capture_output=True, check=False)
    subprocess.run(["mount", "--bind", name, BOOT_ID], check=True)
    # user namespaces may mount a proc only where one is seen that has nothing mounted over it
    proc = os.path.join(load.work, "proc")
    if not os.path.isdir(proc):
        os.mkdir(proc)
        subprocess.run(["mount", "-t", "proc", "proc", proc], check=True)


def cut_round(load, chance, disk, number):
    what = chance.choice(["build", "anew", "anew", "emulated" if load.emulated else "anew", "prune-all", "tag", "oci"])
    n = chance.randint(1, load.calls[what, "kill"])
    disk.mount(chance.choice(EXT4))
    stop = threading.Event()
    thread = threading.Thread(target=hammer, args=(disk.path, stop))
    new_boot(load, 2 * number)
    os.makedirs(load.store, exist_ok=True)
    fresh = run(load.build("a", "-t", f"t{number}:1")) if chance.random() < 0.3 else None
    thread.start()
    beside = subprocess.Popen(load.build("b", "--no-cache"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    result, report = load.meddle("cut", n, load.commands()[what], {"MEDDLE_DISK": disk.path})
    beside.kill()
    beside.wait()
    stop.set()
    thread.join()
    disk.umount()
    disk.mount("data=ordered")
    new_boot(load, 2 * number + 1)
    before = load.machine()
    try:
        wrong = load.tags(os.path.join(load.store, "blobs/sha256")) if os.path.exists(
            os.path.join(load.store, "index.json")) else []
        if fresh is not None and fresh.returncode == 0:
            listed = run([XBUILD, "images", "--root", load.store]).stdout.decode()
            if f"t{number}:1" not in listed:
                wrong.append(f"the tag t{number}:1 is gone")
            run([XBUILD, "rmi", "--root", load.store, f"t{number}:1"])
        if what == "tag":
            load.must(load.build("b", "-t", "b:1"))
        wrong += load.look(before, what)
    finally:
        disk.umount()
    return what, f"cut {n} call {report['call']}", report["call"] >= 0, wrong


# ---- many at once --------------------------------------------------------------------------------

def crowd_round(load, chance):
    stop, wrong = threading.Event(), []

    def prune():
        while not stop.is_set():
            result = run([XBUILD, "cache", "prune", *(["--all"] if chance.random() < 0.5 else []), "--root", load.store])
            if result.returncode:
                wrong.append(f"prune: {result.stderr.decode()}")
            time.sleep(0.02)

    pruner = threading.Thread(target=prune)
    pruner.start()
    running = []
    for i in range(16):
        name = "ab"[i % 2]
        more = ["--no-cache"] if i % 5 == 4 else []
        running.append((name, subprocess.Popen(load.build(name, "-t", f"{name}:{i}", *more), stdin=subprocess.DEVNULL,
                                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)))
    for name, process in running:
        out, err = process.communicate(timeout=1200)
        right = load.expected["build"] if name == "a" else load.keep
        if process.returncode != 0 or out.decode().strip() != right:
            wrong.append(f"{name}: {process.returncode} {out.decode()} {err.decode()[-500:]}")
    stop.set()
    pruner.join()
    check = run([XBUILD, "cache", "check", "--root", load.store])
    if check.returncode != 0:
        wrong.append(f"cache check: {check.stdout.decode()} {check.stderr.decode()}")
    return "crowd", "16 builds", True, wrong + load.lasting_leftovers() + load.books()


# ---- campaigns -----------------------------------------------------------------------------------

def load_state(path):
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    return {"round": 0, "hits": 0, "findings": 0}


def campaign(options, load, one):
    state = load_state(options.state)
    first = options.only if options.only is not None else state["round"]
    last = first + 1 if options.only is not None else options.times
    began, kinds = time.monotonic(), collections.Counter()
    for i in range(first, last):
        if options.seconds and time.monotonic() - began > options.seconds:
            break
        what, how, hit, wrong = one(random.Random(f"{options.seed}/{i}"), i)
        kinds[what] += 1
        state = {"round": i + 1, "hits": state["hits"] + hit, "findings": state["findings"] + bool(wrong)}
        if wrong or options.verbose:
            print(f"{options.kind} seed {options.seed} round {i}: {what}: {how}", *wrong, sep="\n    ", flush=True)
        if options.state:
            with open(options.state + ".new", "w", encoding="utf-8") as f:
                json.dump(state, f)
            os.replace(options.state + ".new", options.state)
    print(f"{options.kind}: {state['round']} rounds, {state['hits']} hit, {state['findings']} with findings, "
          f"{time.monotonic() - began:.0f} s, seed {options.seed}, {dict(kinds)}", flush=True)
    return state["findings"] == 0


def broken(options, load, one):
    load.learn()
    others = Others(load)
    others.start()
    good = campaign(options, load, lambda chance, i: one(load, chance))
    others.stop.set()
    others.join()
    print(f"{others.count} builds beside", *others.wrong, sep="\n    ")
    return good and not others.wrong


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("kind", choices=("kill", "fail", "cut", "crowd"))
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", type=int)
    parser.add_argument("--state")
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--work", default=f"/tmp/xb-crash.{os.getpid()}")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if os.environ.get("XB_CRASH_INSIDE") != "1":
        # mounts of others shall not be taken for ours
        os.environ["XB_CRASH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv,
                              "--work", options.work])
    os.makedirs(options.work, exist_ok=True)
    try:
        if options.kind == "cut":
            disk = Disk(options.work)
            disk.mount("data=ordered")
            load = Workload(options.work, os.path.join(disk.path, "store"))
            load.learn()
            disk.umount()
            good = campaign(options, load, lambda chance, i: cut_round(load, chance, disk, i + 1))
        else:
            load = Workload(options.work, os.path.join(options.work, "store"))
            rounds = {"kill": kill_round, "fail": fail_round}
            if options.kind == "crowd":
                load.learn()
                good = campaign(options, load, lambda chance, i: crowd_round(load, chance))
            else:
                good = broken(options, load, rounds[options.kind])
    finally:
        for name in ("disk", "proc"):
            subprocess.run(["umount", "-q", os.path.join(options.work, name)], capture_output=True, check=False)
        shutil.rmtree(options.work, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

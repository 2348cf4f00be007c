# SPDX-License-Identifier: Apache-2.0
"""Measure builds by xbuild and, where it is installed, by buildah beside it, and the floors of the machine.

Called by bench.sh, which makes the base image and says where things are. Medians of XB_BENCH_RUNS runs
(5; of buildah XB_BENCH_PEER_RUNS, 1); XB_BENCH_QUICK=1 measures small things once, to see that all of
it runs; XB_BENCH_MILLION=1 grows to 10^6 files; XB_BENCH_ONLY=a,b takes the sections that begin so;
XB_BENCH_JSON=FILE gets all of it as JSON. Ratios mean something, seconds depend on the machine.
"""
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

WORK = os.environ["XB_BENCH_WORK"]
XBUILD = os.environ["XBUILD"]
TOOLS = os.environ["XB_BENCH_TOOLS"]
TINY = os.environ["XB_BENCH_TINY"]
PLATFORMS = os.environ["XB_BENCH_PLATFORMS"].split(",")
USER_HOME = os.environ.get("XB_BENCH_USER_HOME", "")
EMULATOR = os.environ.get("XB_BENCH_EMULATOR", "")
REGISTRY = os.environ.get("XB_BENCH_REGISTRY", "")
QUICK = os.environ.get("XB_BENCH_QUICK", "") not in ("", "0")
RUNS = 1 if QUICK else int(os.environ.get("XB_BENCH_RUNS", "5"))
PEER_RUNS = 1 if QUICK else int(os.environ.get("XB_BENCH_PEER_RUNS", "1"))
MILLION = os.environ.get("XB_BENCH_MILLION", "") not in ("", "0")
ONLY = [name for name in os.environ.get("XB_BENCH_ONLY", "").split(",") if name]
STEPS = 5 if QUICK else 40
FILES, BYTES = (200, 12_000_000) if QUICK else (5000, 304_000_000)
BASE_FILES, BASE_BYTES = (200, 5_000_000) if QUICK else (3000, 75_000_000)
MANY = 2000 if QUICK else 100_000
LAYERS, LAYER = 4, 4_000_000 if QUICK else 62_500_000
BIG = 50_000_000 if QUICK else 1_000_000_000
EIGHT = "linux/amd64,linux/arm64,linux/arm/v7,linux/arm/v6,linux/386,linux/ppc64le,linux/s390x,linux/riscv64"
MB = 1 << 20

rows, floors, targets = [], {}, []
trash = itertools.count()


def path(*names):
    return os.path.join(WORK, *names)


def remove(*names):
    """Out of the way, but not deleted before the end: for minutes after its inodes were freed ext4 searches
    long for one to use, which would be measured."""
    os.makedirs(path("trash"), exist_ok=True)
    for name in names:
        if os.path.lexists(path(name)):
            os.rename(path(name), path("trash", str(next(trash))))


def floor_tool(*arguments):
    return subprocess.run([os.path.join(TOOLS, "floor"), *map(str, arguments)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()


def measured(command, memory=False):
    """One run, as tests/bench/measure reports it; of what lies in the plain user's home as this user."""
    home, tools, identity = WORK, TOOLS, {}
    if USER_HOME and command[0].startswith(USER_HOME):
        home, tools = USER_HOME, os.path.join(USER_HOME, "bin")
        identity = {"user": "xbtest", "group": os.stat(USER_HOME).st_gid, "extra_groups": [],
                    "env": {**os.environ, "HOME": USER_HOME}}
    report = os.path.join(home, "report")
    with open(path("log"), "w", encoding="utf-8") as log:
        status = subprocess.run([os.path.join(tools, "measure"), *(["-m"] if memory else []), report, *command],
                                stdout=log, stderr=subprocess.STDOUT, check=False, **identity).returncode
    if status:
        with open(path("log"), encoding="utf-8", errors="replace") as log:
            sys.exit(f"bench: {' '.join(command)}: status {status}\n{log.read()[-3000:]}")
    with open(report, encoding="utf-8") as f:
        return json.load(f)


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def row(name, tool, command, before=lambda: None, runs=None):
    """Measure `command`, each time after `before`; add a row; return the median of the wall seconds."""
    taken = []
    for _ in range(runs or RUNS):
        before()
        os.sync()
        taken.append(measured(command))
    entry = {"name": name, "tool": tool, "runs": [run["wall"] for run in taken], "wall": median(taken, "wall"),
             "user": median(taken, "user"), "system": median(taken, "system"),
             "peak": max(run["peak"] for run in taken)}
    if tool == "xbuild":
        before()
        looked = measured(command, memory=True)
        entry.update(builder=looked["builder"], tree=looked["tree"])
    rows.append(entry)
    memory = f"{entry['builder'] / MB:8.0f} {entry['tree'] / MB:6.0f}" if "tree" in entry else f"{'':8} {'':6}"
    print(f"{name:56} {tool:8} {entry['wall']:8.3f} {entry['user']:8.3f} {entry['system']:8.3f} {memory}",
          flush=True)
    return entry["wall"]


def floor(name, run, runs=None):
    """The median of what `run` returns, in seconds."""
    floors[name] = statistics.median(run() for _ in range(runs or RUNS))
    print(f"{'floor: ' + name:56} {'':8} {floors[name]:8.4f}", flush=True)
    return floors[name]


def timed(*command):
    begun = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def target(what, wanted, got, unit="x", least=False):
    met = got >= wanted if least else got <= wanted
    targets.append({"what": what, "wanted": wanted, "measured": got, "unit": unit, "least": least, "met": met})


def context(name, lines):
    os.makedirs(path(name), exist_ok=True)
    with open(path(name, "Dockerfile"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    return path(name)


def xbuild(where, platforms, *options, store="store", dest="x.tar"):
    return [XBUILD, "build", "-q", "--root", path(store), "--build-context", f"tiny=oci-layout://{TINY}:tiny",
            "--platform", platforms, "-o", f"type=oci,dest={path(dest)}", *options, where]


def empty(store="store"):
    remove(store, "x.tar")


HAVE_PEER = not os.environ.get("XB_BENCH_NO_PEER") and shutil.which("buildah") and shutil.which("skopeo")
PEER = ["--root", path("b"), "--runroot", path("br")]


def peer(where):
    """buildah's way to the same archive; the command is one shell so that its two halves are one run."""
    return ["sh", "-c", 'where=$1 archive=$2; shift 2; buildah "$@" bud --layers --isolation chroot --pull-never -q '
            '-t bench "$where" && buildah "$@" push -q bench "oci-archive:$archive"', "sh", where, path("b.tar"), *PEER]


def peer_empty():
    remove("b", "br", "b.tar")
    subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", f"oci:{TINY}:tiny",
                    f"containers-storage:[overlay@{path('b')}+{path('br')}]localhost/tiny:latest"], check=True)


def unpacked_base():
    """A directory with the native base's files, for the floor."""
    if not os.path.isdir(path("root")):
        subprocess.run([XBUILD, "build", "-q", "--root", path("floorstore"), "--build-context",
                        f"tiny=oci-layout://{TINY}:tiny", "--platform", ",".join(PLATFORMS), "-o",
                        f"type=local,dest={path('root')}", context("base", ["FROM tiny", "RUN true"])],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        remove("floorstore")
    several = path("root", PLATFORMS[0].replace("/", "_"))
    return several if os.path.isdir(several) else path("root")


def floor_steps(root, *emulator):
    def run():
        remove("steps")
        os.mkdir(path("steps"))
        seconds = float(floor_tool("steps", STEPS, root, path("steps"), *emulator)[0])
        remove("steps")
        return seconds
    return run


def tiny_steps():
    native, both = PLATFORMS[0], ",".join(PLATFORMS)
    where = context("run", ["FROM tiny", *(f"RUN echo {i} > /file{i}" for i in range(STEPS))])
    bare = floor("a native step: namespaces, overlay, exec", floor_steps(unpacked_base()))
    if EMULATOR and len(PLATFORMS) > 1:
        root = path("root", PLATFORMS[1].replace("/", "_"))
        floor("an emulated step", floor_steps(root, EMULATOR))
    name = f"{STEPS} x RUN echo, native"
    cold = row(f"{name}, empty store", "xbuild", xbuild(where, native), empty)
    again = row(f"{name}, --no-cache", "xbuild", xbuild(where, native, "--no-cache"))
    row(f"{name}, unchanged", "xbuild", xbuild(where, native))
    target("a native step (--no-cache, all of the build shared out) : bare floor", 2, again / STEPS / bare)
    if HAVE_PEER:
        took = row(f"{name}, empty store", "buildah", peer(where), peer_empty, PEER_RUNS)
        row(f"{name}, unchanged", "buildah", peer(where), runs=PEER_RUNS)
        target(f"{name}, empty store, buildah : xbuild", 50, took / cold, least=True)
    name = f"{len(PLATFORMS)} platforms x {STEPS} x RUN echo"
    row(f"{name}, empty store", "xbuild", xbuild(where, both), empty)
    row(f"{name}, --no-cache", "xbuild", xbuild(where, both, "--no-cache"))
    took = row(f"{name}, unchanged", "xbuild", xbuild(where, both))
    target(f"{name}, unchanged", 0.025, took, "s")


def plain_user():
    """The same in a user namespace with subordinate ids, which two programs of the system set up each time."""
    if not USER_HOME:
        return
    native, both = PLATFORMS[0], ",".join(PLATFORMS)
    where = context("user", ["FROM tiny", *(f"RUN echo {i} > /file{i}" for i in range(STEPS))])

    def build(platforms, *options):
        return [os.path.join(USER_HOME, "bin", "xbuild"),
                *xbuild(where, platforms, *options, store=os.path.join(USER_HOME, "store"),
                        dest=os.path.join(USER_HOME, "x.tar"))[1:]]

    bare = floor("a native step, for the plain user's", floor_steps(unpacked_base()))
    name = f"plain user: {STEPS} x RUN echo, native"
    row(name, "xbuild", build(native), runs=1)
    again = row(f"{name}, --no-cache", "xbuild", build(native, "--no-cache"))
    row(f"{name}, unchanged", "xbuild", build(native))
    target("plain user: a native step (--no-cache) : bare floor", 2, again / STEPS / bare)
    name = f"plain user: {len(PLATFORMS)} platforms x {STEPS} x RUN echo"
    row(name, "xbuild", build(both), runs=1)
    took = row(f"{name}, unchanged", "xbuild", build(both))
    target(f"{name}, unchanged", 0.025, took, "s")


def independent_steps():
    """Steps that do not stand on each other, by so many workers."""
    both = ",".join(PLATFORMS)
    where = context("jobs", [*(f"FROM tiny AS s{i}\nRUN echo {i} > /file{i}" for i in range(STEPS)), "FROM tiny",
                             *(f"COPY --from=s{i} /file{i} /" for i in range(STEPS))])
    name = f"{len(PLATFORMS)} platforms x {STEPS} independent RUN"
    row(name, "xbuild", xbuild(where, both), empty, runs=1)
    took = {jobs: row(f"{name}, --no-cache, --jobs {jobs}", "xbuild",
                      xbuild(where, both, "--no-cache", "--jobs", str(jobs)))
            for jobs in sorted({1, 2, os.cpu_count(), 2 * os.cpu_count()})}
    print("#   " + ", ".join(f"--jobs {jobs}: x {took[1] / wall:.2f}" for jobs, wall in took.items()))
    remove("store", "x.tar")


def edit(name):
    """Another 10 kB in the middle of the tree."""
    def run():
        with open(path(name, "tree", "d00001", "edited"), "wb") as f:
            f.write(os.urandom(5000).hex().encode())
    return run


def copy_hash(where):
    remove("copied")
    took = timed("cp", "-a", os.path.join(where, "tree"), path("copied"))
    return took + timed("openssl", "sha256", path("tree.tar"))


def pack_floor(where):
    return float(floor_tool("pack", os.path.join(where, "tree"), 6)[0])


def copying():
    both = ",".join(PLATFORMS)
    where = context("copy", ["FROM tiny", "COPY tree /tree"])
    floor_tool("tree", os.path.join(where, "tree"), FILES, BYTES)
    edit("copy")()
    subprocess.run(["tar", "-cf", path("tree.tar"), "-C", where, "tree"], check=True)
    seconds, bytes_in, bytes_out = floor_tool("pack", os.path.join(where, "tree"), 6)
    print(f"# copy: {FILES} files, {int(bytes_in) / 1e6:.0f} MB, libdeflate -6 makes {int(bytes_out) / 1e6:.0f} MB")
    packing = floor("read, sha256, libdeflate -6, sha256; all cores", lambda: pack_floor(where))
    copying_and_hashing = floor("cp -a of the tree, openssl sha256 of its tar", lambda: copy_hash(where))
    remove("copied")
    floor("openssl sha256 of its tar", lambda: timed("openssl", "sha256", path("tree.tar")))
    name = f"COPY of {FILES} files, {BYTES // 1_000_000} MB, {len(PLATFORMS)} platforms"
    cold = row(f"{name}, cold", "xbuild", xbuild(where, both), empty)
    same = row(f"{name}, unchanged", "xbuild", xbuild(where, both))
    edited = row(f"{name}, one edited", "xbuild", xbuild(where, both), edit("copy"))
    target(f"{name}, cold : one pass of read, sha256, compression", 1.5, cold / packing)
    target(f"{name}, unchanged", 0.075, same, "s")
    target(f"{name}, one edited : copying and hashing it", 1.3, edited / copying_and_hashing)
    if HAVE_PEER:
        row("the same, native platform, cold", "buildah", peer(where), peer_empty, PEER_RUNS)
        row("the same, native platform, unchanged", "buildah", peer(where), runs=PEER_RUNS)
        row("the same, native platform, one edited", "buildah", peer(where), edit("copy"), PEER_RUNS)
    eight_platforms(where)
    remove("copy", "tree.tar", "store", "x.tar", "b", "b.tar")


def eight_platforms(where):
    with open(os.path.join(where, "Dockerfile"), "w", encoding="utf-8") as f:
        f.write("FROM scratch\nCOPY tree /tree\n")
    one = row("the same on scratch, 1 platform, cold", "xbuild", xbuild(where, PLATFORMS[0]), empty)
    eight = row("the same on scratch, 8 platforms, cold", "xbuild", xbuild(where, EIGHT), empty)
    target("COPY alone, 8 platforms : 1 platform", 1.2, eight / one)


def base_layout():
    """An image of eight platforms whose layers differ, of as many files as a small distribution has."""
    lines = ["FROM scratch", "ARG TARGETARCH TARGETVARIANT", "COPY base-$TARGETARCH$TARGETVARIANT /"]
    where = context("basemaker", lines)
    floor_tool("tree", path("basemaker", "files"), BASE_FILES, BASE_BYTES)
    for name in EIGHT.split(","):
        tree = path("basemaker", "base-" + "".join(name.split("/")[1:]))
        subprocess.run(["cp", "-al", path("basemaker", "files"), tree], check=True)
        with open(os.path.join(tree, "first"), "w", encoding="utf-8") as f:
            f.write(name)
    subprocess.run(xbuild(where, EIGHT, "-o", f"type=oci,dest={path('layout')},tar=false,name=base", store="makerstore"),
                   check=True, stdout=subprocess.DEVNULL)
    remove("basemaker", "makerstore")
    return ["--build-context", f"base=oci-layout://{path('layout')}:base"]


def native_layer():
    """The file of the base's layer for this platform."""
    def document(digest):
        with open(path("layout", "blobs", *digest.split(":")), encoding="utf-8") as f:
            return json.load(f)
    with open(path("layout", "index.json"), encoding="utf-8") as f:
        manifests = document(json.load(f)["manifests"][0]["digest"])["manifests"]
    architecture = PLATFORMS[0].split("/")[1]
    found = next(m for m in manifests if m["platform"]["architecture"] == architecture)
    return path("layout", "blobs", *document(found["digest"])["layers"][0]["digest"].split(":"))


def fresh_directory(name):
    remove(name)
    os.mkdir(path(name))


def untar():
    fresh_directory("untarred")
    return timed("tar", "-C", path("untarred"), "-xzf", native_layer())


def copies_on_bases(where, base):
    with open(os.path.join(where, "Dockerfile"), "w", encoding="utf-8") as f:
        f.write("FROM base\nCOPY tree /tree\n")
    took = {}
    for count, platforms in (1, PLATFORMS[0]), (8, EIGHT):
        name = f"COPY of {FILES} files on a base, {count} platform{'s' if count > 1 else ''}"
        took[count, "cold"] = row(f"{name}, bases new", "xbuild", xbuild(where, platforms, *base), empty)
        took[count, "warm"] = row(f"{name}, bases known", "xbuild", xbuild(where, platforms, *base), edit("copy"))
        empty()
    for state, what in ("warm", "known"), ("cold", "new"):
        target(f"COPY on a base, 8 platforms : 1 platform, bases {what}", 1.2, took[8, state] / took[1, state])


def unpacking(base):
    """A base whose tree is wanted for one file. Others get it in a layout of its own: umoci takes no index."""
    native = PLATFORMS[0]
    subprocess.run(xbuild(context("alone", ["FROM base"]), native, *base, "-o",
                          f"type=oci,dest={path('single')},tar=false,name=base", store="makerstore"),
                   check=True, stdout=subprocess.DEVNULL)
    remove("alone", "makerstore")
    name = f"a base of {BASE_FILES} files unpacked"
    plain = floor("tar -xzf of the base's layer", untar)
    took = row(f"{name}, one file copied", "xbuild",
               xbuild(context("unpack", ["FROM base AS base", "FROM scratch", "COPY --from=base /first /"]), native,
                      *base), empty)
    target(f"{name} : tar -xzf", 1.5, took / plain)
    if shutil.which("umoci"):
        row(name, "umoci", ["umoci", "unpack", "--image", f"{path('single')}:base", path("bundle")],
            lambda: remove("bundle"), PEER_RUNS)
    if HAVE_PEER:
        row(name, "buildah", ["buildah", *PEER, "pull", "-q", f"oci:{path('single')}:base"],
            lambda: remove("b", "br"), PEER_RUNS)


def bases():
    where = context("copy", ["FROM base", "COPY tree /tree"])
    floor_tool("tree", os.path.join(where, "tree"), FILES, BYTES)
    base = base_layout()
    copies_on_bases(where, base)
    unpacking(base)
    remove("copy", "unpack", "layout", "single", "untarred", "bundle", "store", "x.tar", "b", "br")


def many_files():
    where = context("many", ["FROM tiny", "COPY tree /tree"])
    floor_tool("small", os.path.join(where, "tree"), MANY)
    floor("find over the tree of many files", lambda: timed("find", os.path.join(where, "tree"), "-newer", "/"))
    name = f"context of {MANY} files"
    row(f"{name}, cold", "xbuild", xbuild(where, PLATFORMS[0]), empty, runs=1)
    took = row(f"{name}, unchanged", "xbuild", xbuild(where, PLATFORMS[0]))
    target(f"{name}, unchanged", 0.3, took, "s")
    remove("many", "store", "x.tar")


def big_file():
    where = context("big", ["FROM tiny", "COPY big /big", "RUN cp /big /again"])
    floor_tool("big", os.path.join(where, "big"), BIG)
    row(f"a file of {BIG // 1_000_000} MB copied twice, cold", "xbuild", xbuild(where, PLATFORMS[0]), empty, runs=1)
    row(f"a file of {BIG // 1_000_000} MB, unchanged", "xbuild", xbuild(where, PLATFORMS[0]), runs=1)
    remove("big", "store", "x.tar")


def growth():
    costs = {}
    for power in range(3, 7 if MILLION else 5 if QUICK else 6):
        where = context("grow", ["FROM scratch", "COPY tree /tree"])
        floor_tool("small", os.path.join(where, "tree"), 10**power)
        runs = RUNS if power < 5 else 1
        cold = row(f"10^{power} small files, cold", "xbuild", xbuild(where, PLATFORMS[0]), empty, runs)
        same = row(f"10^{power} small files, unchanged", "xbuild", xbuild(where, PLATFORMS[0]), runs=runs)
        costs[power] = (cold / 10**power, same / 10**power)
        remove("grow", "store", "x.tar")
    for power, (cold, same) in costs.items():
        print(f"#   10^{power}: {cold * 1e6:.1f} us a file cold, {same * 1e6:.2f} unchanged")
    last = max(costs)
    target(f"time per file, 10^{last} : 10^3 files, cold", 1.2, costs[last][0] / costs[3][0])
    target(f"time per file, 10^{last} : 10^{last - 1} files, unchanged", 1.2, costs[last][1] / costs[last - 1][1])


def empty_registry():
    """Also out of the way first: what is asked meanwhile is not there."""
    if os.path.lexists(os.environ["XB_BENCH_REGISTRY_DATA"]):
        os.rename(os.environ["XB_BENCH_REGISTRY_DATA"], path("trash", str(next(trash))))


def image_of_layers():
    """An image of two platforms in the store and, as `published`, in a layout: layers that do not get smaller."""
    fresh_directory("layers")
    for number, platform_name in itertools.product(range(LAYERS), ("amd64", "arm64")):
        floor_tool("big", path("layers", f"{platform_name}-{number}"), LAYER)
    where = context("layers", ["FROM scratch", "ARG TARGETARCH",
                               *(f"COPY $TARGETARCH-{number} /" for number in range(LAYERS))])
    subprocess.run([XBUILD, "build", "-q", "--root", path("store"), "--platform", "linux/amd64,linux/arm64", "-o",
                    f"type=image,name={REGISTRY}/bench/image:1", "-o",
                    f"type=oci,dest={path('published')},tar=false,name=image", where],
                   check=True, stdout=subprocess.DEVNULL)
    remove("layers")


def registry():
    """Pushes and pulls over loopback; the registry itself takes its part of the processors each time."""
    if not REGISTRY:
        return
    os.makedirs(path("trash"), exist_ok=True)
    image_of_layers()
    there, layout = f"docker://{REGISTRY}/bench/image:1", f"oci:{path('published')}:image"
    name = f"an image of {2 * LAYERS * LAYER // 1_000_000} MB, 2 platforms"
    pushed = row(f"{name}, pushed", "xbuild", [XBUILD, "push", "--root", path("store"), f"{REGISTRY}/bench/image:1"],
                 empty_registry)
    peers = {"skopeo": row(f"{name}, pushed", "skopeo",
                           ["skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", layout, there],
                           empty_registry)}
    if HAVE_PEER:
        subprocess.run(["buildah", *PEER, "manifest", "create", "list"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["buildah", *PEER, "manifest", "add", "--all", "list", layout], check=True,
                       stdout=subprocess.DEVNULL)
        peers["buildah"] = row(f"{name}, pushed", "buildah", ["buildah", *PEER, "manifest", "push", "-q", "--all",
                                                             "--tls-verify=false", "list", there], empty_registry)
    row(f"{name}, pushed again", "xbuild", [XBUILD, "push", "--root", path("store"), f"{REGISTRY}/bench/image:1"])
    for tool, took in peers.items():
        target(f"{name}, pushed, xbuild : {tool}", 1, pushed / took)
    pulling(name, there)
    remove("store", "published", "b", "br")


def pulling(name, there):
    pulled = row(f"{name}, pulled", "xbuild", [XBUILD, "pull", "--root", path("pulled"), f"{REGISTRY}/bench/image:1"],
                 lambda: remove("pulled"))
    took = row(f"{name}, pulled", "skopeo",
               ["skopeo", "copy", "-q", "--all", "--src-tls-verify=false", there, f"oci:{path('copied')}:image"],
               lambda: remove("copied"))
    target(f"{name}, pulled, xbuild : skopeo", 1, pulled / took)
    if HAVE_PEER:
        # which takes one platform at a time, and unpacks it
        took = row(f"{name}, one pulled and unpacked", "buildah",
                   ["buildah", *PEER, "pull", "-q", "--tls-verify=false", there], lambda: remove("b", "br"))
        target(f"{name}, both pulled by xbuild : one by buildah", 1, pulled / took)
    remove("pulled", "copied")


def auditing():
    """An image of 1 GB in two layers, of programs and of what is none."""
    where = context("audit", ["FROM scratch", "COPY programs one /one/", "COPY two /two/"])
    for name in "one", "two":
        floor_tool("tree", os.path.join(where, name), FILES, BIG // 2)
    os.makedirs(os.path.join(where, "programs"))
    for name in sorted(os.listdir("/usr/bin"))[:200]:
        if os.path.isfile(f"/usr/bin/{name}"):
            subprocess.run(["cp", "-L", f"/usr/bin/{name}", os.path.join(where, "programs")], check=False)
    subprocess.run([XBUILD, "build", "-q", "--root", path("store"), "--platform", PLATFORMS[0],
                    "-o", f"type=oci,tar=false,dest={path('audited')}", where], check=True, stdout=subprocess.DEVNULL)
    layers = [path("audited", "blobs", "sha256", name) for name in os.listdir(path("audited", "blobs", "sha256"))]
    layers = [name for name in layers if os.path.getsize(name) > BIG // 20]
    size = sum(os.path.getsize(name) for name in layers)
    reading = floor("inflate both layers by zlib, a thread each", lambda: float(floor_tool("inflate", *layers)[0]))
    name = f"audit of an image of {BIG // 1_000_000} MB ({size // 1_000_000} MB compressed)"
    command = [XBUILD, "audit", "--root", path("store"), f"oci:{path('audited')}"]
    # it ends with status 7: programs whose libraries are not there
    took = row(name, "xbuild", ["sh", "-c", '"$@"; [ $? = 7 ] || [ $? = 0 ]', "sh", *command])
    target(f"{name} : reading and decompressing it", 1.2, took / reading)
    target("memory of that, its children's included", 128, rows[-1]["tree"] / MB, "MB")
    remove("audit", "audited", "store")


def show_targets():
    builders = [(entry["builder"], entry["name"]) for entry in rows if "builder" in entry]
    if builders:
        size, name = max(builders)
        target(f"peak memory of the builder (most: {name})", 64, size / MB, "MB")
    print(f"\n{'target':92} {'wanted':>10} {'measured':>10}")
    for t in targets:
        sign = ">=" if t["least"] else "<="
        wanted, got = f"{sign} {t['wanted']:g} {t['unit']}", f"{t['measured']:.3g} {t['unit']}"
        print(f"{t['what']:92} {wanted:>10} {got:>10}  {'met' if t['met'] else 'MISSED'}")


def save(file):
    uname = platform.uname()
    document = {"version": 1, "quick": QUICK, "runs": RUNS, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "machine": {"processors": os.cpu_count(), "kernel": uname.release, "machine": uname.machine,
                            "load": os.getloadavg()},
                "platforms": PLATFORMS, "floors": floors, "rows": rows, "targets": targets}
    with open(file, "w", encoding="utf-8") as f:
        json.dump(document, f, indent=1)
        f.write("\n")


def main():
    print(f"# {os.cpu_count()} processors, Linux {platform.release()}, load {os.getloadavg()[0]:.2f}; "
          f"medians of {RUNS} (buildah: {PEER_RUNS})" + ("; quick: the numbers mean nothing" if QUICK else ""))
    print(f"{'':56} {'':8} {'wall s':>8} {'user s':>8} {'system s':>8} {'MB alone':>8} {'tree':>6}")
    for section in (tiny_steps, plain_user, independent_steps, copying, bases, many_files, big_file, growth, registry,
                    auditing):
        if not ONLY or any(section.__name__.startswith(name) for name in ONLY):
            section()
    show_targets()
    if os.environ.get("XB_BENCH_JSON"):
        save(os.environ["XB_BENCH_JSON"])


main()

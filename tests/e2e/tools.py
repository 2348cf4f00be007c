# SPDX-License-Identifier: Apache-2.0
"""Small judges for the end-to-end tests; each looks at what is on disk, not at what xbuild says.

tools.py tiny LAYOUT TAG PLATFORM=BUSYBOX...   make a busybox image for each platform
tools.py verify LAYOUT [TAG]                   every blob has its digest and size; print the platforms
tools.py tree DIR                              a line for each file: type, mode, owner, time (at most
                                               SOURCE_DATE_EPOCH), data, xattrs
tools.py elf DIR                               ELF files: "machine path"
tools.py interrupt SIGNAL MARKER COMMAND...    send SIGNAL once output holds MARKER; print the status
tools.py terminal KEYS COMMAND...               type KEYS, an item a second, ^C being Ctrl-C; print the status
tools.py scan SECRET-FILE PLACE...              no file of PLACE has its bytes, decompressed or encoded
tools.py deny CALL,... ERRNO COMMAND...         run COMMAND, as root, where these system calls of x86_64 fail
tools.py trigger LAYOUT LINE                   give each image LINE as its only ONBUILD trigger
"""
import base64
import ctypes
import errno
import gzip
import hashlib
import io
import json
import os
import pty
import select
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import time

MACHINES = {3: "386", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64", 21: "ppc64le", 22: "s390x"}
APPLETS = """[ ash awk base64 basename cat chgrp chmod chown cp cut date dd df diff dirname du echo env
expr false find grep gunzip gzip head hostname id install ip kill ln ls md5sum mkdir mkfifo mknod mktemp
mount mv nproc od printf ps pwd readlink realpath rm rmdir sed seq sh sha256sum sleep sort stat stty sync
tail tar tee test touch tr true truncate tty umount uname uniq vi wc which whoami xargs yes""".split()


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "blobs/sha256"), exist_ok=True)

    def add(self, data, media_type):
        digest = digest_of(data)
        with open(os.path.join(self.path, "blobs/sha256", digest[7:]), "wb") as f:
            f.write(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def add_json(self, document, kind):
        return self.add(json.dumps(document).encode(), f"application/vnd.oci.image.{kind}.v1+json")


def tiny_root(busybox):
    """The tar of a root directory around one static busybox."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        def entry(name, kind, mode, data=b"", link=""):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime = kind, mode, 1600000000
            info.size, info.linkname = len(data), link
            tar.addfile(info, io.BytesIO(data))
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("home", 0o755), ("root", 0o700), ("tmp", 0o1777),
                           ("usr", 0o755), ("usr/bin", 0o755), ("var", 0o755)):
            entry(name, tarfile.DIRTYPE, mode)
        with open(busybox, "rb") as f:
            entry("bin/busybox", tarfile.REGTYPE, 0o755, f.read())
        for applet in APPLETS:
            entry(f"bin/{applet}", tarfile.SYMTYPE, 0o777, link="busybox")
        entry("etc/passwd", tarfile.REGTYPE, 0o644,
              b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home:/bin/sh\n")
        entry("etc/group", tarfile.REGTYPE, 0o644, b"root:x:0:\napp:x:1000:\nstaff:x:50:app\n")
    return out.getvalue()


def tiny(path, tag, *platforms):
    layout = Layout(path)
    manifests = []
    for item in platforms:
        platform, busybox = item.split("=", 1)
        system, architecture = platform.split("/")[:2]
        root = tiny_root(busybox)
        layer = layout.add(gzip.compress(root, 6, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
        config = layout.add_json({
            "created": "2020-09-13T12:26:40Z", "architecture": architecture, "os": system,
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "TINY=yes"], "Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(root)]},
            "history": [{"created": "2020-09-13T12:26:40Z", "created_by": "tiny base"}]}, "config")
        manifest = layout.add_json({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [layer]}, "manifest")
        manifest["platform"] = {"architecture": architecture, "os": system}
        manifests.append(manifest)
    index = layout.add_json({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                             "manifests": manifests}, "index")
    index["annotations"] = {"org.opencontainers.image.ref.name": tag}
    with open(os.path.join(path, "index.json"), "w", encoding="utf-8") as f:
        json.dump({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                   "manifests": [index]}, f)
    with open(os.path.join(path, "oci-layout"), "w", encoding="utf-8") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')


def verify(path, tag=None):
    seen = set()

    def blob(descriptor):
        digest, size = descriptor["digest"], descriptor["size"]
        with open(os.path.join(path, "blobs", digest.replace(":", "/")), "rb") as f:
            data = f.read()
        if len(data) != size or digest_of(data) != digest:
            sys.exit(f"{digest}: its content is {len(data)} bytes, {digest_of(data)}; the descriptor says {size}")
        seen.add(digest[7:])
        return data

    def manifest(descriptor):
        document = json.loads(blob(descriptor))
        if document.get("mediaType", descriptor["mediaType"]) != descriptor["mediaType"]:
            sys.exit(f"{descriptor['digest']}: the media type differs from its descriptor's")
        if "manifests" in document:
            for child in document["manifests"]:
                manifest(child)
            return
        config = json.loads(blob(document["config"]))
        diff_ids = config["rootfs"]["diff_ids"]
        if len(diff_ids) != len(document["layers"]):
            sys.exit("as many diff_ids as layers are needed")
        for layer, diff_id in zip(document["layers"], diff_ids):
            data = blob(layer)
            data = gzip.decompress(data) if layer["mediaType"].endswith("+gzip") else data
            if digest_of(data) != diff_id:
                sys.exit(f"{layer['digest']}: unpacked it is {digest_of(data)}, the config says {diff_id}")
        history = config.get("history", [])
        if history and sum(not h.get("empty_layer") for h in history) != len(diff_ids):
            sys.exit("the history does not have as many layers as the image")
        platform = descriptor.get("platform", config)
        if (platform["os"], platform["architecture"]) != (config["os"], config["architecture"]):
            sys.exit(f"{descriptor['digest']}: the index and the config name different platforms")
        print("/".join(p for p in (config["os"], config["architecture"], config.get("variant")) if p))

    with open(os.path.join(path, "oci-layout"), encoding="utf-8") as f:
        if json.load(f)["imageLayoutVersion"] != "1.0.0":
            sys.exit("oci-layout: not version 1.0.0")
    with open(os.path.join(path, "index.json"), encoding="utf-8") as f:
        index = json.load(f)
    chosen = [d for d in index["manifests"]
              if not tag or d.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag]
    if not chosen:
        sys.exit(f"index.json: no {tag or 'image'}")
    for descriptor in chosen:
        manifest(descriptor)
    extra = set(os.listdir(os.path.join(path, "blobs/sha256"))) - seen
    if extra and not tag:
        sys.exit(f"blobs that nothing refers to: {sorted(extra)}")


def walk(root):
    """Every path below root, sorted by bytes."""
    paths = []
    for directory, names, files in os.walk(root.encode()):
        paths += [os.path.relpath(os.path.join(directory, n), root.encode()).decode("utf-8", "surrogateescape")
                  for n in names + files]
    return sorted(paths)


def tree(root):
    latest = int(os.environ.get("SOURCE_DATE_EPOCH", 1 << 60))
    inodes = {}
    out = []
    for path in walk(root):
        full = os.path.join(root, path)
        info = os.lstat(full)
        kind, extra = stat.filemode(info.st_mode)[0], ""
        if stat.S_ISLNK(info.st_mode):
            extra = "-> " + os.readlink(full)
        elif stat.S_ISREG(info.st_mode):
            with open(full, "rb") as f:
                extra = f"{info.st_size} {hashlib.sha256(f.read()).hexdigest()[:16]}"
            first = inodes.setdefault((info.st_dev, info.st_ino), path)
            if first != path:
                extra += f" link to {first}"
        elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
            extra = f"{os.major(info.st_rdev)},{os.minor(info.st_rdev)}"
        names = sorted(os.listxattr(full, follow_symlinks=False))
        attributes = " ".join(f"{n}={os.getxattr(full, n, follow_symlinks=False).hex()}" for n in names)
        time = min(int(info.st_mtime), latest)
        out.append(f"{path} {kind}{stat.S_IMODE(info.st_mode):04o} {info.st_uid}:{info.st_gid} "
                   f"{time} {extra} {attributes}".rstrip())
    sys.stdout.buffer.write(("\n".join(out) + "\n").encode("utf-8", "surrogateescape"))


def elf(root):
    for path in walk(root):
        full = os.path.join(root, path)
        if not stat.S_ISREG(os.lstat(full).st_mode):
            continue
        with open(full, "rb") as f:
            head = f.read(20)
        if head[:4] == b"\x7fELF" and len(head) == 20:
            order = "<" if head[5] == 1 else ">"
            machine = struct.unpack(order + "H", head[18:20])[0]
            print(MACHINES.get(machine, machine), path)


def scan(secret, *places):
    """No file of PLACES has the bytes of SECRET, plain or decompressed, also as base64 or hex."""
    with open(secret, "rb") as f:
        raw = f.read()
    needles = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    for shift in range(3):  # whole groups of base64, wherever the secret begins in one
        needles.add(base64.b64encode(b"\0" * shift + raw)[4:-4])
    try:
        decoded = base64.b64decode(raw, validate=True)
        needles |= {decoded, decoded.hex().encode(), decoded.hex().upper().encode()}
    except ValueError:
        pass
    count = 0
    for place in places:
        found = [place] if os.path.isfile(place) else [
            os.path.join(top, name) for top, _, names in os.walk(place) for name in names]
        for path in found:
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as f:
                data = f.read()
            texts = [data]
            if data[:2] == b"\x1f\x8b":
                texts.append(gzip.decompress(data))
            for text in texts:
                if any(needle in text for needle in needles):
                    sys.exit("the secret is in " + path)
            count += 1
    if count == 0:
        sys.exit("nothing to scan")


def interrupt(name, marker, *command):
    # A program that a shell starts in the background ignores SIGINT; one started here does not.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    sent = False
    for line in process.stdout:
        sys.stderr.write(line.decode("utf-8", "replace"))
        # The instruction itself is shown too: the marker counts where it is the output.
        if not sent and marker.encode() in line and b"echo" not in line:
            process.send_signal(getattr(signal, name))
            sent = time.monotonic()
    process.wait()
    if sent:
        sys.stderr.write(f"took {int((time.monotonic() - sent) * 1000)} ms to end\n")
    print(process.returncode if sent else "never seen")


SECCOMP = 317
CALLS = {"capset": 126, "clone3": 435, "close_range": 436, "fsmount": 432, "fsopen": 430, "landlock_create_ruleset": 444,
         "memfd_create": 319, "mknodat": 259, "mount": 165, "mount_setattr": 442, "move_mount": 429, "open_tree": 428,
         "openat2": 437, "pidfd_open": 434, "pivot_root": 155, "seccomp": SECCOMP, "setgroups": 116, "sethostname": 170,
         "setresuid": 117, "umount2": 166, "unshare": 272}


def deny(calls, error, *command):
    calls = [CALLS[name] for name in calls.split(",")]
    # load the number; jump to the last for each of the calls; allow; fail
    program = struct.pack("<HBBI", 0x20, 0, 0, 0)
    for i, call in enumerate(calls):
        program += struct.pack("<HBBI", 0x15, len(calls) - i, 0, call)
    program += struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000)
    program += struct.pack("<HBBI", 0x06, 0, 0, 0x00050000 | getattr(errno, error))
    held = ctypes.create_string_buffer(program, len(program))
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SECCOMP, 1, 0, filters) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    os.execvp(command[0], command)


def trigger(layout, line):
    """Give each image of the layout this trigger and no other, whatever it is."""
    out = Layout(layout)

    def turned(descriptor):
        with open(os.path.join(layout, "blobs", descriptor["digest"].replace(":", "/")), "rb") as f:
            document = json.loads(f.read())
        if "manifests" in document:
            document["manifests"] = [turned(d) for d in document["manifests"]]
        elif "layers" in document:
            document["config"] = turned(document["config"])
        else:
            document.setdefault("config", {})["OnBuild"] = [line]
        return {**descriptor, **out.add(json.dumps(document).encode(), descriptor["mediaType"])}

    path = os.path.join(layout, "index.json")
    with open(path, encoding="utf-8") as f:
        index = json.loads(f.read())
    index["manifests"] = [turned(d) for d in index["manifests"]]
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps(index))


def terminal(keys, *command):
    # Run a command on a terminal of its own and type `keys`, items of the form WORDS=KEYS: once it has shown
    # the words, behind those of the item before, the keys are typed; ^C is Ctrl-C, typed again each second until
    # the next words are shown: what it is to stop may not have begun. Prints its exit status.
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    seen = b""
    key = ""
    for item in keys.split(","):
        again = key == "^C"
        words, key = item.split("=", 1)
        while words.encode() not in seen:
            if again and not select.select([master], [], [], 1)[0]:
                os.write(master, b"\x03")
            else:
                seen += os.read(master, 4096)
        seen = seen.split(words.encode(), 1)[1]
        os.write(master, b"\x03" if key == "^C" else key.encode() + b"\n")
    try:
        while data := os.read(master, 4096):
            sys.stderr.write(data.decode("utf-8", "replace"))
    except OSError:  # the terminal's other side is closed
        pass
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    commands = {f.__name__: f for f in (tiny, verify, tree, elf, scan, interrupt, terminal, deny, trigger)}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])

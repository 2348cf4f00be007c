# SPDX-License-Identifier: Apache-2.0
"""Build on one hostile image layout and judge what came of it.

evil.py CASES LAYOUTS ID FORMS XBUILD BUSYBOX SCRATCH [PREFIX...]

CASES is the set's cases.json, LAYOUTS the directory that its archive unpacks to, ID the case. FORMS is a
list FORM=STATUS,...: what is built, and the exit status that it must have. `unpack` copies a file onto the
image and writes the result as files, `run` runs a program on it, `from` copies all of it into another image,
`export` only gives it a label. PREFIX is a command that runs its arguments as another user (setpriv ...),
for whom SCRATCH must be writable. Prints a line a build: status, seconds of processor time, MiB of memory,
MiB of disk; then what is wrong, and ends with 1, if anything is.
"""
import fcntl
import hashlib
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time

CANARY_TEXT = b"the canary's own bytes: 5b1d0c\n"
FORMS = {
    "unpack": ("FROM base\nCOPY marker /xb-marker\n", "local"),
    "run": ("FROM base\nCOPY busybox /busybox\nRUN [\"/busybox\", \"true\"]\n", "oci"),
    "from": ("FROM base AS evil\nFROM scratch\nCOPY --from=evil / /\n", "oci"),
    "export": ("FROM base\nLABEL a=b\n", "oci"),
}


def canary_make(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(os.path.join(path, "dir/sub"))
    os.chmod(path, 0o777)
    os.chmod(os.path.join(path, "dir"), 0o777)
    for name in ("victim", "dir/keep", "dir/sub/deep"):
        with open(os.path.join(path, name), "wb") as f:
            f.write(CANARY_TEXT)
        os.chmod(os.path.join(path, name), 0o666)


def canary_state(path):
    state = []
    for directory, names, files in os.walk(path):
        for name in ["."] + names + files:
            full = os.path.join(directory, name)
            info = os.lstat(full)
            data = b""
            if stat.S_ISREG(info.st_mode):
                with open(full, "rb") as f:
                    data = f.read()
            state.append((full, info.st_dev, info.st_ino, info.st_mode, info.st_uid, info.st_gid, info.st_nlink,
                          info.st_size, info.st_mtime_ns, info.st_ctime_ns, hashlib.sha256(data).hexdigest(),
                          tuple(os.listxattr(full, follow_symlinks=False))))
    return sorted(state)


def disk_used(path):
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def memory_of(pid):
    """Resident bytes of the process and all below it."""
    total, todo = 0, [pid]
    while todo:
        one = todo.pop()
        try:
            with open(f"/proc/{one}/statm", encoding="ascii") as f:
                total += int(f.read().split()[1]) * resource.getpagesize()
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as f:
                    todo += [int(child) for child in f.read().split()]
        except (OSError, ValueError, IndexError):
            pass
    return total


def used():
    """Seconds of processor time of all that was waited for: what else the machine does is not in it."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Run:
    """One command under watch: processor time, memory and disk; it is ended after ten times its limit."""

    def __init__(self, command, limit, store):
        self.memory = self.disk = 0
        before = used()
        start = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              start_new_session=True) as process:
            reader = threading.Thread(target=self.read, args=(process.stdout,))
            reader.start()
            self.late = False
            while process.poll() is None:
                self.memory = max(self.memory, memory_of(process.pid))
                self.disk = max(self.disk, disk_used(store))
                if time.monotonic() - start > 10 * limit and not self.late:
                    self.late = True
                    os.killpg(process.pid, signal.SIGKILL)
                time.sleep(0.02)
            reader.join()
        self.disk = max(self.disk, disk_used(store))
        self.status, self.seconds = process.returncode, used() - before
        self.late |= self.seconds > limit

    def read(self, stream):
        self.output = stream.read()


def holds(root, name):
    """Whether an image's root has this path, links of the image resolved within it."""
    path = root
    for part in name.split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path):
            target = os.readlink(path)
            path = os.path.normpath(root + "/" + target) if target.startswith("/") else \
                os.path.normpath(os.path.join(os.path.dirname(path), target))
            if not (path + "/").startswith(root + "/"):
                return None
    return path if os.path.lexists(path) else None


def judge_tree(root, checks, wrong):
    for name in checks.get("inside", []):
        if not holds(root, name):
            wrong.append(f"{name!r} is not in the result")
    for name, text in checks.get("inside_file", {}).items():
        path = holds(root, name)
        if not path or open(path, encoding="utf-8").read() != text:
            wrong.append(f"{name!r} is not what the image has")
    for name in checks.get("outside_of_root", []):
        if holds(root, name):
            wrong.append(f"{name!r} is in the result")
    for directory, names, files in os.walk(root):
        for name in names + files:
            full = os.path.join(directory, name)
            for attribute in os.listxattr(full, follow_symlinks=False):
                if attribute in checks.get("no_xattr", []) or ".overlay." in attribute:
                    wrong.append(f"{name!r} has the attribute {attribute}")


def judge_store(store, wrong):
    """Nothing for others, nothing half done, none of the canary's bytes."""
    for directory, names, files in os.walk(store):
        for name in names + files:
            full = os.path.join(directory, name)
            info = os.lstat(full)
            if stat.S_ISREG(info.st_mode) and 0 < info.st_size < 1 << 20:
                with open(full, "rb") as f:
                    if CANARY_TEXT.strip() in f.read():
                        wrong.append(f"{full} holds bytes of the canary")
    if os.listdir(os.path.join(store, "ingest")):
        wrong.append("ingest/ is not empty")
    if stat.S_IMODE(os.lstat(store).st_mode) & 0o077:
        wrong.append("others may enter the store")


def judge(run, form, case, out, wrong):
    limits = case["invariants"]
    refused = run.status != 0
    if run.late:
        wrong.append(f"not done after {limits['max_seconds']} s")
    if case["expected"] == "harmless" and refused:
        wrong.append("a harmless image is refused")
    if run.memory > limits["max_rss_mib"] << 20:
        wrong.append(f"{run.memory >> 20} MiB of memory")
    if run.disk > limits["max_disk_mib"] << 20:
        wrong.append(f"{run.disk >> 20} MiB of disk")
    if any(byte < 0x20 and byte not in b"\n\t" for byte in run.output) or b"\x7f" in run.output:
        wrong.append("control characters in the output")
    if refused and b"hint:" not in run.output and b"rror" not in run.output:
        wrong.append("refused without a word")
    if form == "unpack" and not refused:
        judge_tree(out, case["checks"], wrong)


def one_form(form, wanted, case, paths):
    text, kind = FORMS[form]
    base = os.path.join(paths["scratch"], case["id"] + "-" + form)
    source, store, out = (os.path.join(base, name) for name in ("src", "store", "out"))
    os.makedirs(source)
    with open(os.path.join(source, "Dockerfile"), "w", encoding="utf-8") as f:
        f.write(text)
    with open(os.path.join(source, "marker"), "w", encoding="utf-8") as f:
        f.write("marker\n")
    shutil.copy(paths["busybox"], os.path.join(source, "busybox"))
    os.chmod(base, 0o777)
    wrong = []
    before = canary_state(paths["canary"])
    run = Run(paths["prefix"] + [paths["xbuild"], "build", "--root", store, "--progress=plain",
              "--platform=linux/amd64", "--build-context", f"base=oci-layout://{paths['layout']}:latest",
              "-o", f"type={kind},dest={out}" + ("" if kind == "local" else ",tar=false"), source],
              case["invariants"]["max_seconds"], store)
    after = canary_state(paths["canary"])
    if after != before:
        wrong.append(f"the canary was touched: {sorted(set(before) ^ set(after))}")
    judge(run, form, case, out, wrong)
    judge_store(store, wrong)
    if run.status != 0 and os.path.exists(os.path.join(out, "index.json")):
        wrong.append("refused, but an index was written")
    if run.status != wanted:
        wrong.append(f"exit status {run.status}, not {wanted}")
    print(f"{case['id']} {form}: status {run.status}, {run.seconds:.1f} s, {run.memory >> 20} MiB of memory, "
          f"{run.disk >> 20} MiB of disk")
    if run.status != 0 or wrong:
        print("\n".join("    " + line for line in run.output.decode("utf-8", "replace").splitlines()[-8:]))
    return [f"{form}: {fault}" for fault in wrong]


def main(cases, layouts, name, forms, xbuild, busybox, scratch, *prefix):
    with open(cases, encoding="utf-8") as f:
        table = json.load(f)
    case = next(c for c in table["cases"] if c["id"] == name)
    forms = {form: int(status) for form, status in (item.split("=") for item in forms.split(","))}
    paths = {"xbuild": xbuild, "busybox": busybox, "scratch": scratch, "prefix": list(prefix),
             "canary": table["canary"], "layout": os.path.join(layouts, name)}
    if case["expected"] == "reject" and not any(forms.values()):
        sys.exit(f"{name} is to be refused, but the table refuses no build")
    wrong = []
    # The canary's place is the set's choice, so one test at a time.
    with open(paths["canary"] + ".lock", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        canary_make(paths["canary"])
        for form, wanted in forms.items():
            wrong += one_form(form, wanted, case, paths)
        shutil.rmtree(paths["canary"])
    print("".join(f"WRONG: {fault}\n" for fault in wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 8:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

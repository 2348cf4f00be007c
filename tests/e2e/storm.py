# SPDX-License-Identifier: Apache-2.0
"""Stop a build at random moments, many times, and look at what stays.

storm.py TIMES SEED STORE COMMAND... (run it in a mount namespace: others mount too)

COMMAND is a build with the store STORE; ROUND in it becomes the number of the round. Each time it is started in its own session and gets SIGINT, SIGTERM
or SIGKILL after a random part of the time that a whole build takes. Before long no process of it may be
alive and the machine's mounts must be the same; after SIGINT and SIGTERM the exit status is 130 (or 0,
when it was done). After one more command nothing lies in ingest/, and each snapshot directory is one that the
store knows. Ends with 1 and lines of what was wrong.
"""
import ctypes
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
LONG = 120  # seconds that nothing takes, on a busy machine either


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return f.read().splitlines()


def children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as f:
        return f.read().split()


def orphans_gone(seconds):
    """Whatever the build leaves behind becomes our child, because we are a subreaper."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return []
        time.sleep(0.01)
    left = []
    for pid in children():
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            left.append(f"{pid} {f.read()!r}")
    return left


def leftovers(store):
    """What is in the store and not in its books."""
    wrong = [f"ingest/{name}" for name in os.listdir(os.path.join(store, "ingest"))]
    with sqlite3.connect(f"file:{store}/xbuild.db?mode=ro", uri=True) as db:
        known = {row[0] for row in db.execute("select snapshot from record")}
    return wrong + [f"snapshots/{name}" for name in os.listdir(os.path.join(store, "snapshots")) if name not in known]


def start(command, i, **streams):
    return subprocess.Popen([word.replace("ROUND", str(i)) for word in command], stdin=subprocess.DEVNULL, start_new_session=True, **streams,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def once(command, i, store, number, delay):
    wrong = []
    before = mounts()
    process = start(command, i, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(delay)
    process.send_signal(number)
    try:
        output = process.communicate(timeout=LONG)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        output = process.communicate()[1]
        wrong.append(f"it did not end within {LONG} s")
    if number == signal.SIGKILL:
        good = (0, -number)
    else:
        # before main() has looked at its signals, and said a word, they have their plain meaning
        good = (0, 130) if output else (0, 130, -number)
    if process.returncode not in good:
        wrong.append(f"exit status {process.returncode}: {output.decode('utf-8', 'replace')[-600:]}")
    wrong += [f"still alive: {process}" for process in orphans_gone(LONG)]
    wrong += [f"mounted: {line}" for line in set(mounts()) ^ set(before)]
    # What a killed build could not take away the next command does.
    next_one = subprocess.run([command[0], "images", "--root", store], capture_output=True, check=False)
    if next_one.returncode != 0:
        wrong.append(f"the next command: {next_one.stderr!r}")
    for _ in range(30):  # on a busy disk a command may end before it has removed all
        if leftovers(store):
            subprocess.run([command[0], "images", "--root", store], capture_output=True, check=False)
    wrong += [f"left: {name}" for name in leftovers(store)]
    return wrong


def main(times, seed, store, *command):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    chance = random.Random(int(seed))
    begun = time.monotonic()
    first = start(command, "first", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    output = first.communicate()[1]
    if first.returncode != 0:
        sys.exit(f"undisturbed, it ends with {first.returncode}: {output.decode('utf-8', 'replace')[-2000:]}")
    whole = time.monotonic() - begun
    failed = False
    for i in range(int(times)):
        number = chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
        delay = chance.uniform(0, whole)
        wrong = once(command, i, store, number, delay)
        if wrong:
            failed = True
            print(f"{i}: {signal.Signals(number).name} after {delay:.3f} of {whole:.1f} s:", *wrong, sep="\n    ")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

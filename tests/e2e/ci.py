# SPDX-License-Identifier: Apache-2.0
"""Does on this machine what a CI system would do with what `xbuild ci` writes.

ci.py github|gitlab|json FILE DIR [words]   run the legs and the merge, each leg in a directory and with a
                                            store of its own; print what the merge prints
ci.py words FILE                            the arguments of the build of each leg of a GitHub workflow
"""
import json
import os
import re
import shutil
import subprocess
import sys

import yaml

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.S)


def evaluate(text, matrix):
    """What GitHub makes of a value: expressions of the matrix and of text are known, others are none."""
    def value(match):
        # the text in quotes may itself hold the braces
        inner = match.group(1).strip()
        if inner == "'${{'":
            return "${{"
        if inner.startswith("matrix.") and inner[7:] in matrix:
            found = matrix[inner[7:]]
            return str(found).lower() if isinstance(found, bool) else found
        raise SystemExit(f"an expression that nobody meant: {inner}")
    return EXPRESSION.sub(value, text)


def shell(script, directory, env):
    """A job's step: GitHub and GitLab stop at the first command that fails."""
    result = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=directory, env={**os.environ, **env},
                            stdout=subprocess.PIPE, check=True, text=True)
    return result.stdout


def job(base, name):
    """A machine of its own: the sources as they were checked out, and an empty store."""
    directory = os.path.join(base, name)
    shutil.copytree(os.path.join(base, "source"), directory, symlinks=True)
    env = {"XBUILD_ROOT": os.path.join(base, "store-" + name)}
    env.pop("SOURCE_DATE_EPOCH", None)
    return directory, env


def carry(base, directory, names):
    """Artifacts of legs, as they come to the job that merges."""
    for name in names:
        legs = os.path.join(base, name, "legs")
        if os.path.isdir(legs):
            shutil.copytree(legs, os.path.join(directory, "legs"), dirs_exist_ok=True)


def step(steps, name):
    found = [s for s in steps if s.get("name") == name]
    assert len(found) == 1, f"{len(found)} steps called {name}"
    return found[0]


def github_legs(document):
    legs = document["jobs"]["leg"]
    build = step(legs["steps"], "Build")
    for matrix in legs["strategy"]["matrix"]["include"]:
        assert evaluate(legs["name"], matrix) == matrix["leg"]
        assert isinstance(matrix["runner"], list) and isinstance(matrix["emulator"], bool)
        env = {key: evaluate(value, matrix) for key, value in build["env"].items()}
        yield matrix["leg"], evaluate(build["run"], {}), env


def run_github(document, base):
    assert document["on"]["push"] == {"tags": ["v*"]} and document["jobs"]["merge"]["needs"] == "leg"
    names = []
    for name, script, env in github_legs(document):
        directory, own = job(base, name)
        shell(script, directory, {**env, **own})
        names.append(name)
    directory, own = job(base, "merging")
    carry(base, directory, names)
    return shell(evaluate(step(document["jobs"]["merge"]["steps"], "Merge")["run"], {}), directory, own)


def run_gitlab(document, base):
    assert document["stages"] == ["legs", "merge"]
    names = []
    for key, value in document.items():
        if not key.startswith("leg "):
            continue
        assert value["extends"] == ".xbuild" and value["stage"] == "legs" and value["artifacts"]["paths"] == ["legs/"]
        name = key[4:]
        directory, own = job(base, name)
        shell("\n".join(value["script"]), directory, own)
        names.append(name)
    directory, own = job(base, "merging")
    carry(base, directory, names)
    return shell("\n".join(document["merge"]["script"]), directory, own)


def run_json(document, base):
    names = []
    for leg in document["legs"]:
        directory, own = job(base, leg["name"])
        os.mkdir(os.path.join(directory, "legs"))
        epoch = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=directory, capture_output=True, text=True,
                               check=True).stdout.strip()
        subprocess.run(leg["command"], cwd=directory, env={**os.environ, **own, "SOURCE_DATE_EPOCH": epoch},
                       stdout=subprocess.DEVNULL, check=True)
        assert os.path.exists(os.path.join(directory, leg["result"]))
        names.append(leg["name"])
    directory, own = job(base, "merging")
    carry(base, directory, names)
    return subprocess.run(document["merge"]["command"], cwd=directory, env={**os.environ, **own}, check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def main():
    what, path = sys.argv[1], sys.argv[2]
    with open(path, encoding="utf-8") as f:
        document = json.load(f) if what == "json" else yaml.safe_load(f)
    if what == "words":
        # the shell that would run xbuild tells what it would have been given
        for _, script, env in github_legs(document):
            show = 'git() { :; }; mkdir() { :; }; xbuild() { python3 -c "import json, sys; ' \
                   'print(json.dumps(sys.argv[1:]))" "$@"; }\n'
            print(shell(show + script, "/", env), end="")
        return
    runners = {"github": run_github, "gitlab": run_gitlab, "json": run_json}
    print(runners[what](document, sys.argv[3]), end="")


main()

# SPDX-License-Identifier: Apache-2.0
"""What the checks share: the tree they look at, C without its comments, and the TAP they speak.

A check is a function from a Tree to a list of findings, one sentence each. Each also brings samples
of what it must find, so that a check that sees nothing is noticed.
"""
import os
import re
import subprocess
import sys
import tempfile

CODE_DIRS = ("base", "platforms", "emulation", "toolchains", "manifest", "builder")
HERE = os.path.dirname(os.path.abspath(__file__))


class Tree:
    """The files of a source tree: those git knows of, or all of a sample's directory."""

    def __init__(self, root, files=None):
        self.root = root
        if files is None:
            files = self.from_git(root) or self.from_disk(root)
        self.files = sorted(files)

    @staticmethod
    def from_git(root):
        """Tracked and new files; nothing without git, or in an unpacked release."""
        try:
            # CI often checks out as another user; only names are read here.
            listing = subprocess.run(
                ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-co", "--exclude-standard"],
                capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return []
        return [f for f in listing.splitlines() if os.path.isfile(os.path.join(root, f))]

    @staticmethod
    def from_disk(root):
        found = []
        for directory, names, files in os.walk(root):
            names[:] = [n for n in names if n not in (".git", "build", "dist")]
            found += [os.path.relpath(os.path.join(directory, f), root) for f in files]
        return found

    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
            return f.read()

    def code(self, *suffixes):
        """The program's own C sources and headers (not its tests)."""
        return [f for f in self.files
                if f.endswith(suffixes) and f.split("/")[0] in CODE_DIRS]


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text, strings=True):
    """C text with comments (and strings) blanked out; every line keeps its number."""
    def cover(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] * 2 if strings else token
        return " " + "\n" * token.count("\n")
    return _TOKEN.sub(cover, text)


def includes(text):
    """(line, name, quoted) of each include."""
    found = []
    for number, line in enumerate(blank(text, strings=False).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            found.append((number, match.group(2), match.group(1) == '"'))
    return found


def table(name):
    """The lines of a table beside the checks: first word to the list of the others."""
    rows = {}
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        for line in f:
            words = line.split("#")[0].split()
            if words:
                rows[words[0]] = words[1:]
    return rows


class Report:
    """TAP on standard output."""

    def __init__(self):
        self.count = 0
        self.bad = False

    def result(self, name, findings, limit=30):
        self.count += 1
        print(f"{'not ok' if findings else 'ok'} {self.count} - {name}")
        for finding in findings[:limit]:
            print(f"#   {finding}")
        if len(findings) > limit:
            print(f"#   and {len(findings) - limit} more")
        self.bad = self.bad or bool(findings)

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}")

    def end(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.bad else 0)


def sample(check, files):
    """Findings of `check` on a tree that holds just `files`."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        return check(Tree(root, list(files)))


def main(checks):
    """Run (name, check, bad samples, good samples); a sample is a dictionary of files."""
    report = Report()
    tree = Tree(os.path.dirname(os.path.dirname(HERE)))
    for name, check, bad, good in checks:
        report.result(name, check(tree))
        missed = [f"not found: {sorted(files.items())!r}" for files in bad if not sample(check, files)]
        wrong = [f"found wrongly: {finding}" for files in good for finding in sample(check, files)]
        report.result(f"{name}: its samples", missed + wrong)
    report.end()

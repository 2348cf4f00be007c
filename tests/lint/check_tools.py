# SPDX-License-Identifier: Apache-2.0
"""What other people's tools say: clang-format, cppcheck, shellcheck."""
import os
import shutil
import subprocess

from common import HERE, Report, Tree

tree = Tree(os.path.dirname(os.path.dirname(HERE)))
report = Report()
CPPCHECK = ["cppcheck", "-q", "--enable=warning,portability", "--inline-suppr", "--std=c11", "-I.",
            "-j2", "-D_GNU_SOURCE", '-DXB_VERSION="0"', "--suppress=missingIncludeSystem",
            "--suppress=unknownMacro", "--suppress=nullPointerArithmetic", "--error-exitcode=1",
            # The bounds of what the linker puts in: two symbols, one object.
            "--suppress=comparePointers:builder/sandbox/sandbox.c",
            # It misses the decrement of `i-- > 0` in a for loop's condition.
            "--suppress=arrayIndexOutOfBounds:builder/sandbox/spec.c",
            "--template={file}:{line}: {id}: {message}"]


def lines_of(command, files=(), text=None):
    """What a tool complains about; each line is a finding."""
    result = subprocess.run([*command, *files], cwd=tree.root, input=text, capture_output=True,
                            text=True, check=False)
    lines = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    return (lines or [f"status {result.returncode}"]) if result.returncode else []


def run(name, command, files, bad_name, bad_text):
    if not shutil.which(command[0]):
        report.skip(name, f"{command[0]} is not installed")
        return
    report.result(name, lines_of(command, files) if files else [])
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"xb-lint-{os.getpid()}-{bad_name}")
    with open(path, "w", encoding="utf-8") as f:
        f.write(bad_text)
    missed = [] if lines_of(command, [path]) else ["its bad sample passes"]
    os.unlink(path)
    report.result(f"{name}: its sample", missed)


c_files = [f for f in tree.files if f.endswith((".c", ".h"))]
run("clang-format", ["clang-format", f"--style=file:{tree.root}/.clang-format", "--dry-run", "-Werror"],
    c_files, "bad.c", "int   x ;\n")
run("cppcheck", CPPCHECK, tree.code(".c"), "bad.c", "int f(void) { int a[2]; return a[5]; }\n")
run("shellcheck", ["shellcheck", "-s", "sh", "-S", "warning"],
    [f for f in tree.files if f.endswith(".sh")] + [".ci/run"], "bad.sh", "rm $(ls *)\nif [ $x == y ]; then\n")
report.end()

# SPDX-License-Identifier: Apache-2.0
"""Licence lines, calls that are not made here, and words that do not belong into the tree."""
import re

from common import blank, main

NO_LICENCE_LINE = ("tests/data/", "tests/fuzz/corpus/")
BANNED = {
    "strcpy": "xb_str", "strcat": "xb_str", "strncpy": "xb_str", "strncat": "xb_str",
    "sprintf": "xb_str_printf", "vsprintf": "xb_str_vprintf", "gets": "xb_file_read",
    "strtok": "xb_view_split", "atoi": "xb_view_number", "atol": "xb_view_number",
    "system": "xb_proc", "popen": "xb_proc", "mktemp": "mkostemp", "tmpnam": "mkostemp",
    "tempnam": "mkostemp", "alloca": "malloc", "gmtime": "gmtime_r", "localtime": "localtime_r",
    "ctime": "xb_clock_format", "asctime": "xb_clock_format", "rand": "getrandom",
    "readdir_r": "readdir", "longjmp": "a returned error", "setjmp": "a returned error",
}
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
PROCESS_CALL = re.compile(r"(?<![\w.>])(fork|vfork|_Fork|clone|clone3|unshare|daemon)\s*\(|"
                          r"\b(SYS|__NR)_(fork|vfork|clone|clone3|unshare)\b")
PROCESS_HOMES = re.compile(r"^(base/proc(_root)?\.c|builder/sandbox/init[a-z_]*\.c)$")
# Paths of one workplace are of no use on another.
WORKPLACE = re.compile(r"/wor[k]/(main|shared|\.library|\.mirror)|/tm[p]/w/|/tm[p]/bash_jobs")


def check_licence(tree):
    found = []
    for path in tree.files:
        name = path.rsplit("/", 1)[-1]
        wanted = path.endswith((".c", ".h", ".S", ".sh", ".py")) or name == "Makefile"
        if not wanted or path.startswith(NO_LICENCE_LINE):
            continue
        lines = tree.text(path).splitlines()[:2]
        first = lines[1:] if lines and lines[0].startswith("#!") else lines[:1]
        if not first or "SPDX-License-Identifier: Apache-2.0" not in first[0]:
            found.append(f"{path}:1: no SPDX-License-Identifier line")
    return found


def lines_matching(tree, files, pattern, strings=True):
    for path in files:
        text = tree.text(path)
        for number, line in enumerate(blank(text, strings).splitlines(), 1):
            for match in pattern.finditer(line):
                yield path, number, match


def check_banned(tree):
    found = [f"{path}:{line}: {m.group(1)}(): use {BANNED[m.group(1)]}"
             for path, line, m in lines_matching(tree, tree.code(".c", ".h"), BANNED_CALL)]
    found += [f"{path}:{line}: goto: use a cleanup attribute"
              for path, line, _ in lines_matching(tree, tree.code(".c", ".h"), re.compile(r"\bgoto\b"))]
    return found


def check_processes(tree):
    files = [f for f in tree.code(".c", ".h") if not PROCESS_HOMES.match(f)]
    return [f"{path}:{line}: {m.group(0).strip('( ')}: processes are made in base/proc*.c and builder/sandbox/init*.c"
            for path, line, m in lines_matching(tree, files, PROCESS_CALL)]


def check_workplace(tree):
    found = []
    for path in tree.files:
        if path.startswith("tests/data/"):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            match = WORKPLACE.search(line)
            if match:
                found.append(f"{path}:{number}: {match.group(0)} exists on one machine only")
    return found


def check_length(tree):
    return [f"{path}: {count} lines; split it by the things it is about (limit 800)"
            for path in tree.code(".c", ".h")
            for count in [tree.text(path).count("\n")] if count > 800]


GOOD_C = "/* SPDX-License-Identifier: Apache-2.0 */\n"
main([
    ("licence lines", check_licence,
     [{"base/a.c": "int x;\n"}, {"tests/a.sh": "#!/bin/sh\necho\n"}],
     [{"base/a.c": GOOD_C, "tests/a.sh": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"}]),
    ("banned calls and goto", check_banned,
     [{"base/a.c": "void f(char *a) { strcpy(a, \"\"); }\n"}, {"base/a.c": "x: goto x;\n"},
      {"builder/cli/a.c": "int r = system (cmd);\n"}],
     [{"base/a.c": "/* goto strcpy() */ const char *s = \"strcpy()\"; xb_system(x); f.rand(1);\n"}]),
    ("processes are made in few places", check_processes,
     [{"base/a.c": "pid_t p = fork();\n"}, {"builder/sandbox/parent.c": "unshare(CLONE_NEWNS);\n"},
      {"base/a.c": "syscall(SYS_clone3, 0);\n"}],
     [{"base/proc.c": "fork();\n", "builder/sandbox/init_mounts.c": "unshare(0);\n",
       "base/b.c": "posix_spawn(x); xb_fork(1); /* fork() */\n"}]),
    ("no paths of one workplace", check_workplace,
     [{"docs/a.md": "see /wor" + "k/main/x\n"}, {"tests/a.sh": "cd /tm" + "p/w/tools\n"}],
     [{"docs/a.md": "WORKDIR /work\n/tmp/x\n"}]),
    ("files are short", check_length, [{"base/a.c": "int x;\n" * 801}], [{"base/a.c": "int x;\n" * 800}]),
])

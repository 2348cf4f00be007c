# SPDX-License-Identifier: Apache-2.0
"""Includes go downward by layers.txt, never in a circle, and foreign headers stay in their homes."""
import re

from common import includes, main, table

LAYERS = table("layers.txt")
HOMES = table("homes.txt")
# What the C library and the kernel's headers bring; every other header needs a row in homes.txt.
SYSTEM = re.compile(
    r"^((sys|linux|asm|netinet|arpa|net)/[a-z0-9_/]+\.h|(alloca|assert|byteswap|ctype|dirent|elf|endian|"
    r"errno|fcntl|fnmatch|ftw|getopt|glob|grp|inttypes|langinfo|libgen|limits|locale|mntent|netdb|poll|"
    r"pthread|pty|pwd|regex|sched|search|semaphore|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|"
    r"stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|time|unistd|utime|wchar|wctype|"
    r"cpuid|immintrin|math|sched)\.h)$")


def part_of(path):
    """The row of layers.txt that a file belongs to."""
    return max((p for p in LAYERS if path.startswith(p + "/")), key=len, default=None)


def allowed(part):
    if LAYERS[part] == ["everything", "above"]:
        return set(LAYERS)
    return {part, *LAYERS[part]}


def check_layers(tree):
    found = []
    for path in tree.code(".c", ".h", ".S"):
        part = part_of(path)
        if part is None:
            found.append(f"{path}: its directory has no row in tests/lint/layers.txt")
            continue
        for line, name, quoted in includes(tree.text(path)):
            if not quoted:
                continue
            target = part_of(name)
            if target is None:
                found.append(f'{path}:{line}: "{name}" is not written from the root')
            elif target not in allowed(part):
                found.append(f"{path}:{line}: {part} may not include {target}")
    return found


def check_table(tree):
    """The documentation shows the table that is checked."""
    text = tree.text("docs/architecture.md")
    return [f"docs/architecture.md: does not show the row of {part}" for part, parts in LAYERS.items()
            if not re.search(rf"^    {part} *{' '.join(parts)}$", text, re.M)]


def check_homes(tree):
    found = []
    for path in tree.code(".c", ".h", ".S"):
        for line, name, quoted in includes(tree.text(path)):
            if quoted or SYSTEM.match(name):
                continue
            row = next((h for h in HOMES if name == h or (h.endswith("/") and name.startswith(h))), None)
            if row is None:
                found.append(f"{path}:{line}: <{name}> has no home in tests/lint/homes.txt")
            elif not any(path.startswith(home) for home in HOMES[row]):
                found.append(f"{path}:{line}: <{name}> belongs to {', '.join(HOMES[row])}")
    return found


def modules(tree):
    """Module (a file pair without its suffix) to the modules that it includes."""
    edges = {}
    for path in tree.code(".c", ".h"):
        module = path.rsplit(".", 1)[0]
        targets = edges.setdefault(module, set())
        for _, name, quoted in includes(tree.text(path)):
            target = name.rsplit(".", 1)[0]
            if quoted and target != module:
                targets.add(target)
    return edges


def check_circles(tree):
    edges = modules(tree)
    found, done = [], set()

    def visit(module, trail):
        if module in trail:
            found.append(" -> ".join(trail[trail.index(module):] + [module]))
            return
        if module in done or module not in edges:
            return
        for target in sorted(edges[module]):
            visit(target, trail + [module])
        done.add(module)

    for module in sorted(edges):
        visit(module, [])
    return found


main([
    ("includes go downward", check_layers, [
        {"base/a.c": '#include "manifest/index.h"\n'},
        {"builder/cache/a.c": '#include "builder/layer/tar.h"\n'},
        {"platforms/a.c": '#include "b.h"\n'},
        {"builder/unknown/a.c": '#include "base/error.h"\n'},
    ], [
        {"builder/cli/a.c": '#include "builder/solve/solve.h"\n#include "base/error.h"\n'},
        {"manifest/a.c": '/* #include "builder/cli/main.h" */\n#include "platforms/elf.h"\n'},
    ]),
    ("the documentation has the same table", check_table,
     [{"docs/architecture.md": "    base\n    platforms  base\n"}], []),
    ("third-party headers are at home", check_homes, [
        {"builder/cli/a.c": "#include <sqlite3.h>\n"},
        {"base/a.h": "#include <openssl/evp.h>\n"},
        {"base/a.c": "#include <glib.h>\n"},
        {"base/pool.c": "#include <threads.h>\n"},
    ], [
        {"base/digest.c": "#include <openssl/evp.h>\n#include <sys/stat.h>\n"},
        {"builder/layer/gzip.c": "#include <zlib.h>\n"},
    ]),
    ("no two modules include each other in a circle", check_circles, [
        {"base/a.h": '#include "base/b.h"\n', "base/b.c": '#include "base/a.h"\n'},
        {"base/a.h": '#include "base/b.h"\n', "base/b.h": '#include "base/c.h"\n',
         "base/c.h": '#include "base/a.h"\n'},
    ], [
        {"base/a.c": '#include "base/a.h"\n', "base/a.h": '#include "base/b.h"\n', "base/b.h": ""},
    ]),
])

# SPDX-License-Identifier: Apache-2.0
"""Each header compiles alone, says what it is, and documents everything it declares."""
import os
import re
import subprocess

from common import main

COMPILER = os.environ.get("CC", "gcc").split()
PKGS = ["libcrypto", "jansson", "libelf", "sqlite3", "libzstd", "libdeflate", "liblzma", "libseccomp"]
PKG_FLAGS = subprocess.run(["pkg-config", "--cflags", *PKGS], capture_output=True, text=True,
                           check=False).stdout.split()


def check_alone(tree):
    found = []
    for path in tree.code(".h"):
        unit = f'#include "{path}"\n#include "{path}"\nextern int xb_not_empty;\n'
        result = subprocess.run(
            [*COMPILER, "-std=gnu17", "-D_GNU_SOURCE", "-I.", *PKG_FLAGS, "-fsyntax-only", "-Wall",
             "-Wstrict-prototypes", "-Werror", "-x", "c", "-"],
            cwd=tree.root, input=unit, capture_output=True, text=True, check=False)
        if result.returncode:
            found.append(f"{path}: {(result.stderr.splitlines() or ['?'])[0]}")
    return found


def statements(text):
    """(line, code, commented) of each declaration outside of any braces."""
    # Comments become a mark of their own, so that what stands in front of a declaration is seen.
    text = re.sub(r"/\*.*?\*/", lambda m: "\x01" + "\n" * m.group(0).count("\n"), text, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\x02" + "\n" * m.group(0).count("\n"),
                  text, flags=re.M)
    depth, code, start, line, commented, seen = 0, "", 1, 1, False, None
    for char in text:
        if char == "\n":
            line += 1
        if depth == 0 and char in "\x01\x02":
            if not code.strip():
                seen = char
            elif char == "\x01" and code.strip():
                commented = True
            continue
        if not code.strip() and not char.isspace():
            start, commented, seen = line, seen == "\x01", None
        code += char
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            # A function's body ends a statement; a struct's goes on to its semicolon.
            if depth == 0 and re.search(r"\)\s*\{", code) and not code.lstrip().startswith(
                    ("struct {", "enum {", "typedef")):
                yield start, code, commented
                code = ""
        elif char == ";" and depth == 0:
            yield start, code, commented
            code = ""


def check_documented(tree):
    found = []
    for path in tree.code(".h"):
        text = tree.text(path)
        if not re.match(r"/\* SPDX[^\n]*\n/\*\*", text):
            found.append(f"{path}:2: the header does not begin with what it is about (/** … */)")
        for line, code, commented in statements(text):
            head = " ".join(code.split())
            if re.match(r"(struct|union|enum) \w+;$|struct \w+ XB_ARRAY\(|extern \"C\"|XB_DEFINE_CLEANUP|typedef struct \w+ \w+;",
                        head):
                continue
            if not commented:
                found.append(f"{path}:{line}: not documented: {head[:70]}")
    return found


main([
    ("each header compiles alone", check_alone, [
        {"base/a.h": "size_t xb_a(void);\n"},
        {"base/a.h": "struct xb_a { int x; };\n"},
    ], [
        {"base/a.h": "#ifndef A\n#define A\n#include <stddef.h>\nsize_t xb_a(void);\n#endif\n"},
    ]),
    ("everything that headers declare is documented", check_documented, [
        {"base/a.h": "/* SPDX */\n/** A. */\nint xb_a(void);\n\nint xb_b(int x);\n"},
        {"base/a.h": "/* SPDX */\n/** A. */\n#define A 1\nstruct xb_a {\n\tint x;\n};\n"},
        {"base/a.h": "/* SPDX */\n#define A 1\n/** A. */\nint xb_a(void);\n"},
        {"base/a.h": "/* SPDX */\n/** A. */\n#define A 1\nstatic inline int xb_a(void)\n{\n\treturn 1;\n}\n"},
    ], [
        {"base/a.h": "/* SPDX */\n/** A. */\n#ifndef A\n#define A\nstruct xb_b;\n/** A. */\nstruct xb_a {\n"
                     "\tint x; /**< x */\n};\n/** A. */\nint xb_a(int x,\n\t int y) __attribute__((pure));\n#endif\n"},
    ]),
])

# SPDX-License-Identifier: Apache-2.0
"""How long and how branched functions are, against the numbers of docs/style.md."""
import re

from common import blank, main

BRANCH = re.compile(r"\b(?:if|for|while|case)\b|&&|\|\||\?")
MEDIAN_LINES, P95_LINES, P95_COMPLEXITY = 18, 60, 10


def functions(text):
    """(line, name, lines, complexity) of each function that is defined in a C text."""
    text = blank(text)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M)
    for match in re.finditer(r"^(?=[A-Za-z_])[^;{}=]*?\b(\w+)\s*\((?:[^;{}])*\)\s*\n\{\n", text, re.M):
        end = text.find("\n}", match.end() - 1)
        if end < 0:
            continue
        start = text.count("\n", 0, match.start()) + 1
        name = re.search(r"\b(\w+)\s*\(", match.group(0)).group(1)
        body = text[match.end():end]
        yield start, name, text.count("\n", 0, end) + 2 - start, 1 + len(BRANCH.findall(body))


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0


def statistics(tree):
    return [(f"{path}:{line} {name}", lines, complexity)
            for path in tree.code(".c") for line, name, lines, complexity in functions(tree.text(path))]


def check_numbers(tree):
    rows = statistics(tree)
    lines, complexity = [r[1] for r in rows], [r[2] for r in rows]
    found = []
    for what, value, limit, column in (
            ("median of lines", percentile(lines, 0.5), MEDIAN_LINES, 1),
            ("95th percentile of lines", percentile(lines, 0.95), P95_LINES, 1),
            ("95th percentile of complexity", percentile(complexity, 0.95), P95_COMPLEXITY, 2)):
        if len(rows) > 30:
            print(f"# {what}: {value} (limit {limit}, {len(rows)} functions)")
        if value > limit:
            found.append(f"{what} is {value}, above {limit}; the largest:")
            found += [f"  {r[0]}: {r[column]}"
                      for r in sorted(rows, key=lambda r: -r[column])[:max(10, len(rows) // 20)]]
    return found


LONG = "int f(void)\n{\n" + "\tg();\n" * 100 + "}\n"
BRANCHED = "int f(int a)\n{\n" + "\tif (a && g())\n\t\th();\n" * 8 + "}\n"
SHORT = "static int f(int a,\n\t     int b)\n{\n\treturn a ? b : 0;\n}\n"
main([("functions are short and simple", check_numbers,
       [{"base/a.c": LONG}, {"base/a.c": BRANCHED}], [{"base/a.c": SHORT * 30}])])

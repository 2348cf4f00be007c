# SPDX-License-Identifier: Apache-2.0
"""The manual page knows every command and option, the documents' links lead somewhere."""
import os
import re

from common import main

OPTION = re.compile(r'\{\s*"([a-z-]+)",\s*(?:0|\'.\'),\s*XB_OPTION_(?:FLAG|TEXT|LIST)\b')
COMMAND = re.compile(r'\{\s*"([a-z]+)",\s*xb_cmd_\w+')
LINK = re.compile(r"\[[^\]]+\]\(([^)#:\s]+)\)")
MANUAL = "docs/man/xbuild.1"


def check_manual(tree):
    text = tree.text(MANUAL).replace("\\", "") if MANUAL in tree.files else ""
    found = []
    for path in tree.code(".c"):
        if not path.startswith("builder/cli/"):
            continue
        source = tree.text(path)
        found += [f"{MANUAL}: --{name} of {path} is missing"
                  for name in OPTION.findall(source) if not re.search(rf"--{name}\b(?!-)", text)]
        found += [f"{MANUAL}: the command {name} is missing"
                  for name in COMMAND.findall(source) if not re.search(rf"xbuild.*\b{name}\b", text)]
    return found


def check_links(tree):
    found = []
    for path in tree.files:
        if not path.endswith(".md"):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            for link in LINK.findall(line):
                target = os.path.normpath(os.path.join(tree.root, os.path.dirname(path), link))
                if not os.path.exists(target):
                    found.append(f"{path}:{number}: {link} does not exist")
    return found


main([
    ("the manual page has every command and option", check_manual,
     [{"builder/cli/a.c": '{ "no-such", 0, XB_OPTION_FLAG, 1, NULL, "" }', MANUAL: "--no-such-thing\n"},
      {"builder/cli/main.c": '{ "fly", xb_cmd_fly, true, "" }', MANUAL: ".B xbuild run\n"}],
     [{"builder/cli/a.c": '{ "later", 0, XB_OPTION_LATER, 0, NULL, "" }', MANUAL: ""},
      {"builder/cli/a.c": '{ "file", \'f\', XB_OPTION_TEXT, 1, "", "" }', MANUAL: ".BR \\-\\-file\n"}]),
    ("links in documents lead somewhere", check_links,
     [{"docs/a.md": "see [b](b.md)\n"}],
     [{"docs/a.md": "see [b](b.md), [c](https://example.org/c)\n", "docs/b.md": "b\n"}]),
])

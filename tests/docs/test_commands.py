"""The commands that pages show: their programs take them."""

import json
import re
import shlex
import subprocess

from docs.rendering.commands import PROGRAMS
from tests.project import DEV, ROOT

_PARSING = """
import argparse, json, sys
from docs.rendering.commands import parser_of
parsers, wrong = {}, []
def error(parser, message):
    raise ValueError(message)
argparse.ArgumentParser.error = error
for page, name, words in json.load(sys.stdin):
    parsers.setdefault(name, parser_of(name))
    try:
        parsers[name].parse_args(words)
    except ValueError as refused:
        if "choose from" not in str(refused):  # a problem of the reader's own
            wrong.append([page, name, words, str(refused)])
print(json.dumps(wrong))
"""
_BLOCK = re.compile(r"```(?:sh|text)\n(.*?)```", re.DOTALL)
_COMMAND = re.compile(r"^(?:\S+=\S+ )*(?:\S*/)?python -m ([\w.]+)(.*)$", re.MULTILINE)
_REST = re.compile(r" [|>&;#].*| --help.*")
_ASKED = re.compile(r'"?\$\(.*')
"""What a shell does with a command, and what it asks another program for."""


def test_every_command_is_one_that_its_program_takes() -> None:
    shown = [
        (str(page.relative_to(ROOT)), name, shlex.split(_REST.sub("", _ASKED.sub("asked", rest))))
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for block in _BLOCK.findall(page.read_text())
        for name, rest in _COMMAND.findall(re.sub(r"\\\n *", "", block))
        if name in PROGRAMS
    ]
    assert len(shown) > 30
    done = subprocess.run(
        [DEV / "python", "-c", _PARSING], cwd=ROOT, input=json.dumps(shown), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []

"""Command lines: what `--help` says, of each command and the commands below it."""

import argparse
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

from docs.rendering.docstrings import table

_HERE = f"{Path(__file__).parents[2]}/"
_PROBLEMS = re.compile("^one of: .*")  # a working tree may have more than the project

PROGRAMS = (
    "training",
    "scoring",
    "monitoring",
    "serving.alone",
    "serving.access",
    "model.signing",
    "ui.users",  # before `ui`, which imports it
    "ui",
    "deploy",
    "deploy.image.build",
    "deploy.image.proof",
    "deploy.audit",
)
_HEAD = """# Command lines

`make` has a target for what is done often ([settings](settings.md#make)). These are the commands behind them, with
all their options, as `--help` prints them. They need the environment that `make setup` makes: `. .venv/bin/activate`.
"""


class _Parsing(BaseException):
    """A program is about to read its arguments; it goes no further."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def page() -> str:
    """The whole page."""
    return "\n\n".join([_HEAD.rstrip(), *(part for name in PROGRAMS for part in _described(name, parser_of(name), ""))])


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of a program, which is started and stopped where it reads its arguments.

    Args:
        name: what stands behind `python -m`.
    """

    def stop(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise _Parsing(parser)

    parse, arguments = argparse.ArgumentParser.parse_known_args, sys.argv
    argparse.ArgumentParser.parse_known_args = stop  # type: ignore[method-assign, assignment]
    sys.argv = [name]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except _Parsing as reached:
        return reached.parser
    finally:
        argparse.ArgumentParser.parse_known_args, sys.argv = parse, arguments  # type: ignore[method-assign]
    raise ValueError(f"python -m {name} reads no arguments")


def _described(name: str, parser: argparse.ArgumentParser, said: str) -> Iterator[str]:
    """A heading, a sentence and a table, of a parser and of those below it."""
    actions = [one for one in parser._actions if one.help != argparse.SUPPRESS and one.dest != "help"]
    below = [one for one in actions if isinstance(one, argparse._SubParsersAction)]
    text = re.sub("^python -m [^:]*: ", "", " ".join((parser.description or said).split()))
    yield f"{'###' if ' ' in name else '##'} python -m {name}"
    if text:
        yield text[0].upper() + text[1:] + ("" if text.endswith((".", "`")) else ".")
    rows = [(_shown(one), _explained(one)) for one in actions if one not in below]
    if rows:
        yield table(("argument", "meaning"), rows)
    for action in below:
        yield from _below(name, action)


def _below(name: str, action: "argparse._SubParsersAction[argparse.ArgumentParser]") -> Iterator[str]:
    """The commands of a program; those of which the same is said stand together."""
    helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
    same: dict[str, list[str]] = {}
    for command, parser in action.choices.items():
        heading, *rest = _described(f"{name} {command}", parser, helps.get(command, "").replace(f" '{command}'", ""))
        same.setdefault("\n\n".join(rest), []).append(heading)
    for text, headings in same.items():
        first, *others = headings
        more = "".join(f", {heading.rsplit(' ', 1)[1]}" for heading in others)
        yield f"{first}{more}" + (f"\n\n{text}" if text else "")


def _shown(action: argparse.Action) -> str:
    """How an argument is written."""
    choices = "{" + ", ".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    value = action.metavar or choices
    if not action.option_strings:
        return f"`{value}`" + (" …" if action.nargs in ("*", "+") else "")
    takes = "" if action.nargs == 0 else f" {value}"
    required = " (required)" if action.required else ""
    return ", ".join(f"`{option}{takes}`" for option in action.option_strings) + required


def _explained(action: argparse.Action) -> str:
    """What its help says, with the default in its place."""
    text = " ".join((action.help or "").split()) % {**vars(action), "prog": ""} if action.help else ""
    return _PROBLEMS.sub("the name of a folder in problems/", text).replace(_HERE, "")

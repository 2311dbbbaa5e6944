"""A draft as the module that a person goes on from: Python's source, formatted as ruff format has it."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from training.draft.literals import literal
from training.draft.names import of_problem, stem
from training.draft.sketch import Sketch
from validation.contract import Column, Kind, Role
from validation.names import apart

_WIDTH = 120


@dataclass(frozen=True)
class Draft:
    """What a module is written of.

    Attributes:
        name: the problem's.
        origin: the table's file, without its folder.
        sketches: the table's columns in their order.
        target: one of them.
        rows: how many the table has.
        unlabelled: how many of these have no target.
    """

    name: str
    origin: str
    sketches: Sequence[Sketch]
    target: Sketch
    rows: int
    unlabelled: int

    @property
    def kept(self) -> list[Sketch]:
        """The columns of the contract."""
        return [sketch for sketch in self.sketches if not sketch.left_out]

    @property
    def title(self) -> str:
        """One line for people, with the letters of the file's name unless the problem has a name of its own."""
        table = stem(self.origin) if of_problem(self.origin) == self.name else self.name
        return f"{self.target.evidence.header} in {apart(table)}"


def source(draft: Draft) -> str:
    """The module of a draft."""
    columns = [(sketch, sketch.column()) for sketch in draft.kept]
    lines = [
        *_docstring(draft),
        "",
        "from problems.base import Problem",
        f"from validation.contract import {', '.join(_of_contract([column for _, column in columns]))}",
        *_of_parsing(draft.kept),
        "",
        "CONTRACT = Contract(",
        "    (",
    ]
    for sketch, column in columns:
        lines += [f"        # {comment}" for comment in _comments(sketch)]
        lines += _column(sketch, column)
    lines += [
        *_wrapped("        # left out: ", draft),
        "    )",
        ")",
        "",
        *_call("", "PROBLEM = Problem", _problem(draft)),
    ]
    return "\n".join(lines) + "\n"


def _docstring(draft: Draft) -> list[str]:
    title, origin = (text.replace("\\", "/").replace('"', "'") for text in (draft.title, draft.origin))
    told = f"Drafted from {origin}: what the comments doubt is yours to decide. docs/how-to/own-problem.md says how."
    return [f'"""{title[:1].upper()}{title[1:]}.'[:_WIDTH].rstrip(), "", *_fitted([told], _WIDTH), '"""']


def _of_contract(columns: Sequence[Column]) -> list[str]:
    names = {"Column", "Contract", "Kind"}
    names |= {"Role"} | ({"Unseen"} if any(column.unseen is not None for column in columns) else set())
    return sorted(names)


def _of_parsing(kept: Sequence[Sketch]) -> list[str]:
    names = {name for sketch in kept if sketch.known.parse is not None for name in sketch.known.parse.imports}
    return [f"from validation.parsing import {', '.join(sorted(names))}"] if names else []


def _comments(sketch: Sketch) -> list[str]:
    """Why a column is as it is, each reason in lines that fit."""
    doubts = [doubt.sentence for doubt in sorted(sketch.all_doubts, reverse=True)]
    if sketch.role is Role.FORBIDDEN:
        return _fitted(doubts[:1])
    return _fitted([*sketch.reasons, *doubts])


def _fitted(sentences: Sequence[str], width: int = _WIDTH - len("        # ")) -> list[str]:
    lines: list[str] = []
    for sentence in sentences:
        line = ""
        for word in " ".join(sentence.split()).split(" "):
            if line and len(line) + len(word) + 1 > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        lines.append(line)
    return lines


def _wrapped(start: str, draft: Draft) -> list[str]:
    """A comment on each column that is left out."""
    gone = [
        f"{sketch.evidence.header!r} is left out: {sketch.left_out}" for sketch in draft.sketches if sketch.left_out
    ]
    return [f"        # {line}" for line in _fitted(gone)]


def _column(sketch: Sketch, column: Column) -> list[str]:
    """The lines of one column."""
    arguments = [f"name={literal(column.name)}", f"kind=Kind.{column.kind.name}"]
    if column.role is not Role.FEATURE:
        arguments.append(f"role=Role.{column.role.name}")
    if column.source != column.name:
        arguments.append(f"source={literal(column.source)}")
    if column.parse is not None and sketch.known.parse is not None:
        arguments.append(f"parse={sketch.known.parse.code}")
    arguments += [f"unit={literal(column.unit)}"] if column.unit else []
    arguments += [f"choices={literal(column.choices)}"] if column.choices is not None else []
    arguments += ["nullable=True"] if column.nullable else []
    arguments += [f"unseen=Unseen.{column.unseen.name}"] if column.unseen is not None else []
    arguments += [f"ge={column.ge:g}"] if column.ge is not None else []
    if column.example is not None:
        is_name = column.kind in (Kind.CATEGORY, Kind.DATE, Kind.TIMESTAMP)
        arguments.append(f"example={literal(column.example) if is_name else repr(column.example)}")
    return _call("        ", "Column", arguments, end=",")


def _problem(draft: Draft) -> list[str]:
    arguments = [f"name={literal(draft.name)}", f"title={literal(draft.title)}", "contract=CONTRACT"]
    return [*arguments, "partly_labelled=True"] if draft.unlabelled else arguments


def _call(indent: str, called: str, arguments: Sequence[str], end: str = "") -> list[str]:
    """A call in one line where it fits, else with its arguments in one line, else with one argument a line."""
    one = f"{indent}{called}({', '.join(arguments)}){end}"
    if _fits(one):
        return [one]
    within = f"{indent}    {', '.join(arguments)}"
    if _fits(within):
        return [f"{indent}{called}(", within, f"{indent}){end}"]
    lines = [f"{indent}{called}("]
    for argument in arguments:
        lines += _argument(f"{indent}    ", argument)
    return [*lines, f"{indent}){end}"]


def _argument(indent: str, argument: str) -> list[str]:
    line = f"{indent}{argument},"
    name, _, value = argument.partition("=")
    if _fits(line) or not value.startswith("("):
        return [line]
    inner = [f"{indent}    {literal(item)}," for item in ast.literal_eval(value)]
    return [f"{indent}{name}=(", *inner, f"{indent}),"]


def _fits(line: str) -> bool:
    return len(line) <= _WIDTH

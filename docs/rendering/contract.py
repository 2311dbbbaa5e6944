"""The contract: what a column can say of itself, from the classes that hold it."""

import ast
import dataclasses
import enum
import inspect

from docs.rendering.docstrings import attributes, summary, table
from validation.contract import Column, Contract, Kind, Role, Unseen

_HEAD = """# The contract

The contract of a problem says what a row is, and everything else is rendered from it: the gates of a table, the
decoding of requests, OpenAPI, the messages of gRPC, the page's form. [Write your own
problem](../how-to/own-problem.md) shows one, [columns](columns.md) has the default problem's. A contract that
contradicts itself is refused when it is imported, with a sentence.
"""


def page() -> str:
    """The whole page."""
    said = attributes(Column)
    fields = [(f"`{field.name}`", _default(field), said[field.name]) for field in dataclasses.fields(Column)]
    parts = [
        _HEAD.rstrip(),
        f"## Column\n\n{table(('field', 'default', 'meaning'), fields)}",
        *(
            f"## {title}\n\n{summary(one)}\n\n{_members(one)}"
            for title, one in (("Kind", Kind), ("Role", Role), ("Unseen", Unseen))
        ),
        f"## Contract\n\n{summary(Contract)}",
    ]
    return "\n\n".join(parts)


def _default(field: "dataclasses.Field[object]") -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    value = field.default.value if isinstance(field.default, enum.Enum) else field.default
    return "" if value in (None, "") else f"`{value}`"


def _members(names: type[enum.StrEnum]) -> str:
    """A list of an enumeration's values, with the texts below them in the source."""
    said: dict[str, str] = {}
    member = ""
    [source] = [one for one in ast.parse(inspect.getsource(names)).body if isinstance(one, ast.ClassDef)]
    for statement in source.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            member = statement.targets[0].id
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and member:
            said[member] = " ".join(str(statement.value.value).split())
    rows = [f"- `{one.value}`{': ' + said[one.name] if one.name in said else ''}" for one in names]
    return "\n".join(rows)

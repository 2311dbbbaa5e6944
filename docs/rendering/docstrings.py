"""What docstrings and annotations say, as rows of a Markdown table."""

import inspect
import re
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec

_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n(?: {8}.*|\s*$))*)", re.MULTILINE)
_SECTION = re.compile(r"^(?:Args|Attributes):\n((?: {4}.*\n?|\n)*)", re.MULTILINE)


def summary(owner: object) -> str:
    """A docstring in one line, without its list of attributes and what comes after that."""
    text = inspect.getdoc(owner) or ""
    return " ".join(re.split(r"^(?:Args|Attributes|Raises|Returns):$", text, flags=re.MULTILINE)[0].split())


def attributes(owner: object) -> dict[str, str]:
    """What the docstring says of each attribute, by its name."""
    found = _SECTION.search(inspect.getdoc(owner) or "")
    entries = _ENTRY.findall(found[1]) if found else []
    return {name: " ".join(text.split()).rstrip(".") for names, text in entries for name in names.split(", ")}


def kind(annotation: Any) -> str:
    """A type as a reader of JSON and YAML knows it, with its bounds."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return f"{kind(parts[0])}{''.join(_bounds(meta) for meta in parts[1:] if isinstance(meta, msgspec.Meta))}"
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind(part) for part in parts))
    if origin in (list, tuple):
        return f"list of {_one(kind(parts[0]))}"
    if origin is dict:
        return f"{_one(kind(parts[1]))} by name"
    known = {int: "integer", float: "number", str: "text", bool: "true or false", type(None): "null", Any: "any value"}
    return known.get(annotation) or annotation.__name__


def _one(words: str) -> str:
    """Words that belong together beside others."""
    return f"({words})" if " or " in words or "," in words else words


def _bounds(meta: msgspec.Meta) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    return "".join(f", {sign} {getattr(meta, name)}" for name, sign in signs.items() if getattr(meta, name) is not None)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars in its cells stay in them."""
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("|" + "".join(f" {cell} |" if cell else " |" for cell in line) for line in lines)

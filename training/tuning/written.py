"""Parameters into params.yaml: two entries of one problem are changed, and every other byte stays.

ruamel.yaml says where in the text the entries are. Dumping the whole document would keep the comments, but lay the file
out in its own way.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node

from problems.parameters import PARAMS
from training.tuning.space import Booster
from training.workspace import atomic_file
from validation.errors import SettingsError

_STEP = 2
_BOOSTER, _ALTERNATIVES = "booster", "alternatives"


class _Edit(NamedTuple):
    """A text in place of what lies between two places."""

    start: int
    end: int
    text: str


def snippet(problem: str, booster: Booster) -> str:
    """What params.yaml is to have, as a text of lines."""
    return f"{problem}:\n  train:\n" + _lines(_BOOSTER, booster, 4) + f"    {_ALTERNATIVES}: []\n"


def write(problem: str, booster: Booster) -> None:
    """Give a problem a booster and no alternatives; raises SettingsError, and changes nothing, where that fails."""
    text = PARAMS.read_bytes().decode()
    edited = _edited(text, problem, booster)
    if not _is(edited, _expected(text, problem, booster)):
        raise SettingsError(f"{PARAMS} is laid out in a way that cannot be edited here; nothing was changed.")
    with atomic_file(PARAMS) as temporary:
        temporary.write_bytes(edited.encode())


def _expected(text: str, problem: str, booster: Booster) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(text)
    entry = document[problem] = document.get(problem) or {}
    entry["train"] = {**(entry.get("train") or {}), _BOOSTER: booster, _ALTERNATIVES: []}
    return document


def _is(text: str, document: dict[str, Any]) -> bool:
    try:
        return bool(yaml.safe_load(text) == document)
    except yaml.YAMLError:
        return False


def _edited(text: str, problem: str, booster: Booster) -> str:
    root = YAML().compose(text)
    entry = _entries(root).get(problem)
    if entry is None:
        return f"{text.rstrip()}\n\n{snippet(problem, booster)}"
    train = _entries(entry[1]).get("train")
    both = f"{{{_BOOSTER}: {_flow(booster)}, {_ALTERNATIVES}: []}}"
    if train is None and not isinstance(entry[1], MappingNode):  # nothing stands behind the name
        colon = text.index(":", entry[0].end_mark.index) + 1
        edits = [_Edit(colon, colon, f" {{train: {both}}}")]
    elif train is None:
        edits = [_first(entry[1], "train", both)]
    elif not _entries(train[1]):
        edits = [_Edit(train[1].start_mark.index, train[1].end_mark.index, both)]
    else:
        edits = [*_booster_edits(text, train[1], booster), _no_alternatives(text, train[1])]
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _entries(node: Node) -> dict[str, tuple[Node, Node]]:
    """The nodes of the names and values of a mapping, by name; none of anything else."""
    return {str(key.value): (key, value) for key, value in node.value} if isinstance(node, MappingNode) else {}


def _booster_edits(text: str, train: Node, booster: Booster) -> Iterator[_Edit]:
    """Values that differ in their places, and names that are new behind the last one."""
    there = _entries(train).get(_BOOSTER)
    if there is None:
        yield _first(train, _BOOSTER, _flow(booster))
        return
    node, entries = there[1], _entries(there[1])
    if not entries:
        yield _Edit(node.start_mark.index, node.end_mark.index, _flow(booster))
        return
    for name, (_, value) in entries.items():
        place = slice(value.start_mark.index, value.end_mark.index)
        if name in booster and not _says(text[place], booster[name]):
            yield _Edit(place.start, place.stop, _flow(booster[name]))
    new = {name: value for name, value in booster.items() if name not in entries}
    key, last = list(entries.values())[-1]
    if new and _is_flow(node):
        yield _Edit(last.end_mark.index, last.end_mark.index, f", {_flow(new)[1:-1]}")
    elif new:
        end = _end_of_line(text, _end(last))
        lines = "".join(f"\n{' ' * key.start_mark.column}{name}: {_flow(value)}" for name, value in new.items())
        yield _Edit(end, end, lines)


def _no_alternatives(text: str, train: Node) -> _Edit:
    there = _entries(train).get(_ALTERNATIVES)
    if there is None:
        return _first(train, _ALTERNATIVES, "[]")
    key, value = there
    if _is_flow(value) or not value.value:
        return _Edit(value.start_mark.index, value.end_mark.index, "[]")
    # the comment behind the name stays, and those between the alternatives go with them
    comment = text[key.end_mark.index : _end_of_line(text, key.end_mark.index)].lstrip().removeprefix(":")
    end = _end_of_line(text, _end(value))
    return _Edit(key.end_mark.index, end, f": []{comment}")


def _first(mapping: Node, name: str, value: str) -> _Edit:
    """A new entry before all others of a mapping."""
    entries = list(_entries(mapping).values())
    if not entries:
        return _Edit(mapping.start_mark.index, mapping.end_mark.index, f"{{{name}: {value}}}")
    start = entries[0][0].start_mark
    after = ", " if _is_flow(mapping) else "\n" + " " * start.column
    return _Edit(start.index, start.index, f"{name}: {value}{after}")


def _says(text: str, value: Any) -> bool:
    """Whether a text is that value already, as somebody wrote it."""
    try:
        return bool(yaml.safe_load(text) == value)
    except yaml.YAMLError:  # of several lines, which are not a document by themselves
        return False


def _is_flow(node: Node) -> bool:
    """Whether it is written in braces or brackets."""
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def _end(node: Node) -> int:
    """Where the text of a value ends; ruamel.yaml has that of an indented one where the next text begins."""
    if isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _end_of_line(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end


def _lines(name: str, values: Mapping[str, Any], indent: int) -> str:
    inner = "".join(f"{' ' * (indent + _STEP)}{key}: {_flow(value)}\n" for key, value in values.items())
    return f"{' ' * indent}{name}:\n{inner}"


def _flow(value: Any) -> str:
    """A value in one line."""
    stream = io.StringIO()
    yaml.safe_dump(value, stream, default_flow_style=True, sort_keys=False, width=100_000)
    return stream.getvalue().removesuffix("\n").removesuffix("\n...")

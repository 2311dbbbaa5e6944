"""Whether requests that satisfy one contract satisfy another: what would break today's callers.

Works on contracts as manifests describe them, since one of the two may be of code that is not here.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

Described = Sequence[Mapping[str, Any]]
Manifest = Mapping[str, Any]

_INPUTS = ("feature", "time")
_SENT = (*_INPUTS, "key")
_MOST_NAMES, _MOST_CHANGES = 3, 8
_STATED = ("unit", "ge", "le", "choices", "nullable", "bins")
"""What a contract says of a column; `unseen` may follow from how many names were learned."""


def inputs(manifest: Manifest) -> list[str]:
    """The columns that a model sees."""
    return [column["name"] for column in manifest["contract"] if column["role"] in _INPUTS]


def target(manifest: Manifest) -> Mapping[str, Any]:
    """The column that a model predicts."""
    [predicted] = [column for column in manifest["contract"] if column["role"] == "target"]
    return dict(predicted)


def breaking(before: Manifest, after: Manifest) -> list[str]:
    """Why rows for one model may be refused by, or mean something else to, another; empty if its contract takes them.

    Names that a column has only learned are no part of the contract, see `forgotten`.

    Args:
        before: the manifest of the model that callers ask today, as JSON.
        after: that of the other model.
    """
    old, new = (
        {c["name"]: (n, c) for n, c in enumerate(m["contract"], 1) if c["role"] in _SENT} for m in (before, after)
    )
    reasons = [f"'{name}' is not a column there" for name in old if name not in new]
    for name, (number, column) in new.items():
        if name in old:
            was, described = old[name]
            learned = before["fitted"]["vocabularies"].get(name, ())
            reasons += [
                f"'{name}' {reason}" for reason in _column(described, column) + _choices(described, column, learned)
            ]
            if number != was:  # what a caller of the typed gRPC service calls it
                reasons.append(f"'{name}' is field {number} of the row there instead of {was}")
        elif not _optional(column):
            reasons.append(f"'{name}' is required there")
    return reasons + list(_answers(before, after))


def forgotten(before: Manifest, after: Manifest) -> list[str]:
    """The names that a model learned, and that another refuses because it did not: a sentence a column."""
    reasons = []
    for column in after["contract"]:
        name, vocabularies = column["name"], after["fitted"]["vocabularies"]
        if column.get("unseen") == "reject" and column.get("choices") is None and name in vocabularies:
            missing = sorted(set(before["fitted"]["vocabularies"].get(name, ())) - set(vocabularies[name]))
            if missing:
                reasons.append(f"'{name}' does not know {_some(missing)} there")
    return reasons


def changes(before: Described, after: Described) -> list[str]:
    """What differs between two contracts, a line a column."""
    old, new = ({column["name"]: column for column in columns} for columns in (before, after))
    lines = [f"+ {name} ({column['kind']}, {column['role']})" for name, column in new.items() if name not in old]
    lines += [f"- {name} ({column['kind']}, {column['role']})" for name, column in old.items() if name not in new]
    for name in (name for name in new if name in old):
        entries = sorted(set(old[name]) | set(new[name]))
        differing = [entry for entry in entries if old[name].get(entry) != new[name].get(entry)]
        lines += [f"~ {name}.{entry}: {old[name].get(entry)!r} → {new[name].get(entry)!r}" for entry in differing]
    return lines


def changed(before: Described, after: Described) -> str:
    """Which columns were removed, added and changed from one contract to another, in a line; empty if none were."""
    old, new = ({column["name"]: column for column in columns} for columns in (before, after))
    said = {
        "removed": [name for name in old if name not in new],
        "added": [name for name in new if name not in old],
        "changed": [f"{name} ({what})" for name in old if name in new and (what := _difference(old[name], new[name]))],
    }
    return "; ".join(
        f"{how}: {', '.join(names[:_MOST_CHANGES])}{', …' * (len(names) > _MOST_CHANGES)}"
        for how, names in said.items()
        if names
    )


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """In what a column differs from its older self, apart from texts for people; empty if in nothing."""
    shown = [f"{old[what]} → {new[what]}" for what in ("kind", "role") if old[what] != new[what]]
    names = [name for name in _STATED if old.get(name) != new.get(name)]
    return ", ".join(shown or names)


def _optional(column: Mapping[str, Any]) -> bool:
    return column["role"] == "key" or bool(column["nullable"])


def _column(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    reasons = []
    if old["kind"] != new["kind"]:
        reasons.append(f"is of kind {new['kind']} there instead of {old['kind']}")
    if old.get("unit") != new.get("unit"):
        reasons.append(f"is in {new.get('unit')!r} there instead of {old.get('unit')!r}")
    if _optional(old) and not _optional(new):
        reasons.append("may not be missing there")
    elif old["nullable"] and not new["nullable"]:  # a key: it may be left out
        reasons.append("may not be null there")
    if old.get("unseen") == "warn" and new.get("unseen") == "reject":
        reasons.append("refuses values that it does not know there")
    if old["role"] == "key" and new["role"] != "key":
        reasons.append("is no key there and is not sent back")
    lowest, highest = (float("-inf"), float("inf"))
    if new.get("ge", lowest) > old.get("ge", lowest):
        reasons.append(f"starts at {new['ge']:g} there")
    if new.get("le", highest) < old.get("le", highest):
        reasons.append(f"ends at {new['le']:g} there")
    return reasons


def _choices(old: Mapping[str, Any], new: Mapping[str, Any], learned: Collection[str]) -> list[str]:
    """Which names a column no longer takes; `learned` are those of the older model, if its contract states none."""
    stated = new.get("choices")
    if new.get("unseen") != "reject" or (stated is None and old.get("choices") is None):
        return []
    if stated is None:
        return ["takes only the names there that training saw"]
    missing = sorted(set(old.get("choices") or learned) - set(stated))
    return [f"does not know {_some(missing)} there"] if missing else []


def _answers(before: Manifest, after: Manifest) -> Iterator[str]:
    old, new = target(before), target(after)
    for what in ("name", "kind", "unit", "choices", "bins"):
        if old.get(what) != new.get(what):
            now, then = (_written(column.get(what)) for column in (new, old))
            yield f"the target's {what} {'are' if what == 'bins' else 'is'} {now} instead of {then}"
    classes = [manifest["outcome"].get("classes") for manifest in (before, after)]
    if classes[0] != classes[1] and all(old.get(what) == new.get(what) for what in ("choices", "bins")):
        yield f"the answers are {_shape(classes[1])} instead of {_shape(classes[0])}"


def _written(value: object) -> str:
    """A member of a column's description, for people."""
    if isinstance(value, Mapping):  # bins
        return " and ".join(f"{', '.join(map(str, entries))}" for entries in value.values())
    return repr(value)


def _shape(classes: Collection[str] | None) -> str:
    return "numbers" if classes is None else f"probabilities of {' and '.join(map(repr, classes))}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_MOST_NAMES])) + " …" * (len(names) > _MOST_NAMES)

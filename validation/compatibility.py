"""Whether requests that satisfy one contract satisfy another: what would break today's callers.

Works on contracts as manifests describe them, since one of the two may be of code that is not here.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Described = Sequence[Mapping[str, Any]]
Vocabularies = Mapping[str, Collection[str]]

_SENT = ("feature", "time", "key")


def breaking(before: Described, after: Described, known: Vocabularies, known_after: Vocabularies) -> list[str]:
    """Why rows for `before` may be refused by, or mean something else to, a model of `after`; empty if they never are.

    Args:
        before: the columns that callers send today, as `Column.describe` has them.
        after: the columns of the other contract.
        known: the values of today's categories.
        known_after: the values of the other model's categories.
    """
    old = {column["name"]: column for column in before if column["role"] in _SENT}
    new = {column["name"]: column for column in after if column["role"] in _SENT}
    reasons = [f"'{name}' is not a column there" for name in old if name not in new]
    for name, column in new.items():
        if name in old:
            reasons += [f"'{name}' {reason}" for reason in _column(old[name], column)]
            reasons += _values(name, column, known.get(name, ()), known_after.get(name))
        elif column["role"] != "key" and not column["nullable"]:
            reasons.append(f"'{name}' is required there")
    [target], [other] = ([c for c in columns if c["role"] == "target"] for columns in (before, after))
    for what in ("name", "kind", "unit", "choices"):
        if target.get(what) != other.get(what):
            reasons.append(f"the target's {what} is {other.get(what)!r} instead of {target.get(what)!r}")
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


def _column(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    reasons = []
    if old["kind"] != new["kind"]:
        reasons.append(f"is of kind {new['kind']} there instead of {old['kind']}")
    if old.get("unit") != new.get("unit"):
        reasons.append(f"is in {new.get('unit')!r} there instead of {old.get('unit')!r}")
    if old["nullable"] and not new["nullable"]:
        reasons.append("may not be missing there")
    if old.get("unseen") == "warn" and new.get("unseen") == "reject":
        reasons.append("refuses values that it does not know there")
    lowest, highest = (float("-inf"), float("inf"))
    if new.get("ge", lowest) > old.get("ge", lowest):
        reasons.append(f"starts at {new['ge']:g} there")
    if new.get("le", highest) < old.get("le", highest):
        reasons.append(f"ends at {new['le']:g} there")
    return reasons


def _values(name: str, column: Mapping[str, Any], known: Collection[str], after: Collection[str] | None) -> list[str]:
    if column.get("unseen") != "reject" or after is None:
        return []
    missing = sorted(set(known) - set(after))
    if not missing:
        return []
    return [f"'{name}' does not know {', '.join(map(repr, missing[:3]))}{' …' * (len(missing) > 3)} there"]

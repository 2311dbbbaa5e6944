"""Rows for properties: good ones, and ones that are wrong in every way that JSON allows."""

import unicodedata
from typing import Any

from hypothesis import strategies as st

from validation.contract import NAME, Column, Contract, Kind, Role, Unseen

_TEXTS = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=12)
# short ones meet in protobuf's JSON names, and the language has words of its own
_NAMES = (
    st.text("ab_0", min_size=1, max_size=4)
    | st.sampled_from(["message", "reserved", "optional", "int64", "map", "oneof", "option", "rows", "class", "inf"])
).filter(NAME.fullmatch)
ODD_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**63, 2**64, 10**30]),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXTS,
    st.sampled_from(["", " ", "12", "1e3", "true", "NaN", "2023-02-29", "2023-2-1", "20230201", "2023-02-01T00:00:00"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(_TEXTS, st.integers(), max_size=2),
)


def _forms(vocabulary: list[str]) -> st.SearchStrategy[str]:
    """Names as callers may write them: as they are, decomposed, with blanks of any kind around and in them."""
    written = st.sampled_from(
        [
            str,
            lambda name: unicodedata.normalize("NFD", name),
            lambda name: f"\u00a0{name} ".replace(" ", "\u2009 "),
            lambda name: f"{name}\ufeff",
        ]
    )
    return st.builds(lambda name, write: write(name), st.sampled_from(vocabulary), written)


def good_values(column: Column, vocabulary: list[str]) -> st.SearchStrategy[Any]:
    """Values that the column holds, null included where it may be."""
    match column.kind:
        case Kind.CATEGORY:
            # a key has no vocabulary: any text is one
            values: st.SearchStrategy[Any] = _forms(vocabulary) if vocabulary else _TEXTS.filter(str.strip)
            if column.unseen is Unseen.WARN:
                values |= _TEXTS.filter(str.strip)
        case Kind.REAL:
            values = st.floats(min_value=column.ge, max_value=column.le, allow_nan=False, allow_infinity=False)
        case Kind.INTEGER:
            values = st.integers(
                min_value=int(column.ge) if column.ge is not None else -(2**53),
                max_value=int(column.le) if column.le is not None else 2**53,
            )
        case Kind.FLAG:
            values = st.booleans()
        case Kind.DATE:
            values = st.dates().map(lambda day: day.isoformat())
        case Kind.TIMESTAMP:
            values = st.datetimes().map(lambda instant: instant.isoformat())
    return values | st.none() if column.nullable else values


def good_rows(contract: Contract, vocabularies: dict[str, list[str]]) -> st.SearchStrategy[dict[str, Any]]:
    """Rows that satisfy the contract; columns that may be left out sometimes are."""
    required = [column for column in contract.inputs if not column.nullable]
    optional = [column for column in (*contract.inputs, *contract.keys) if column not in required]
    values = {
        column: good_values(column, vocabularies.get(column.name) or list(column.choices or ()))
        for column in (*required, *optional)
    }
    return st.fixed_dictionaries(
        {column.name: values[column] for column in required},
        optional={column.name: values[column] for column in optional},
    )


@st.composite
def any_rows(draw: st.DrawFn, contract: Contract, vocabularies: dict[str, list[str]]) -> dict[str, Any]:
    """Good rows and rows with up to two columns changed, dropped or added."""
    row = draw(good_rows(contract, vocabularies))
    names = [column.name for column in contract.columns] + ["surplus"]
    for name in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
        if draw(st.booleans()):
            row[name] = draw(ODD_VALUES)
        else:
            row.pop(name, None)
    return row


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """Contracts of columns with any names and kinds, in any order."""
    names = draw(st.lists(_NAMES, min_size=2, max_size=12, unique=True))
    roles = st.sampled_from([Role.FEATURE, Role.KEY, Role.FORBIDDEN])
    columns = [
        Column(name=name, kind=draw(st.sampled_from(Kind)), role=draw(roles), help=draw(_TEXTS), nullable=True)
        for name in names[2:]
    ]
    target = Column(name=names[0], kind=draw(st.sampled_from([Kind.REAL, Kind.CATEGORY])), role=Role.TARGET)
    return Contract(tuple(draw(st.permutations([target, Column(name=names[1], kind=Kind.REAL, ge=0), *columns]))))

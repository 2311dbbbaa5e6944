"""Names that contracts take, made of whatever a header or a file is called.

`python -m training.draft.names DATA` prints the name of the problem of a table: the Makefile asks before anything is
installed, so this module needs nothing but Python.
"""

import re
import sys
from collections.abc import Iterable

from validation.names import LONGEST, snake

RESERVED = frozenset({"base", "features", "parameters", "sources", "defaults", "problems"})
"""What no problem may be called: modules of problems/, and entries of params.yaml."""


def different(names: Iterable[str]) -> list[str]:
    """The names, with a number behind each that was there before."""
    given: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 2
        while unique in given:
            unique = f"{name[: LONGEST - 5]}_{number}"
            number += 1
        given.add(unique)
        result.append(unique)
    return result


def stem(data: str) -> str:
    """The name of a table's file, without what it ends with; of a path or an address."""
    path = re.split(r"[?#]", data.split("://", 1)[1])[0].partition("/")[2] if "://" in data else data
    return path.rstrip("/").rsplit("/", 1)[-1].lstrip(".").split(".", 1)[0]


def of_problem(data: str) -> str:
    """What the problem of a table is called: as its file."""
    name = snake(stem(data), "table")
    return f"{name}_table" if name in RESERVED else name


if __name__ == "__main__":
    print(of_problem(sys.argv[1]))

"""Names that contracts take, made of whatever a header or a file is called.

`python -m training.draft.names DATA` prints the name of the problem of a table: the Makefile asks before anything is
installed, so this module needs nothing but Python.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable

_LETTERS = str.maketrans(
    {"ß": "ss", "ı": "i", "ł": "l", "Ł": "l", "ø": "o", "Ø": "o", "đ": "d", "Đ": "d", "æ": "ae", "Æ": "ae", "œ": "oe"}
)
_SIGNS = {"²": "2", "³": "3", "%": " percent ", "€": " eur ", "$": " usd ", "£": " gbp ", "#": " number ", "&": " and "}
_LONGEST = 63
RESERVED = frozenset({"base", "features", "parameters", "sources", "defaults", "problems"})
"""What no problem may be called: modules of problems/, and entries of params.yaml."""


def snake(text: str, otherwise: str) -> str:
    """A text in lower snake case of the letters a to z; `otherwise` where it has none of them and no digit."""
    for sign, words in _SIGNS.items():
        text = text.replace(sign, words)
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", text)
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not name:
        return otherwise
    return (name if name[0].isalpha() else f"{otherwise.split('_', maxsplit=1)[0]}_{name}")[:_LONGEST].rstrip("_")


def different(names: Iterable[str]) -> list[str]:
    """The names, with a number behind each that was there before."""
    given: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 2
        while unique in given:
            unique = f"{name[: _LONGEST - 5]}_{number}"
            number += 1
        given.add(unique)
        result.append(unique)
    return result


def of_problem(data: str) -> str:
    """What the problem of a table is called: as its file, without what the name ends with."""
    path = re.split(r"[?#]", data.split("://", 1)[1])[0].partition("/")[2] if "://" in data else data
    stem = path.rstrip("/").rsplit("/", 1)[-1].lstrip(".").split(".", 1)[0]
    name = snake(stem, "table")
    return f"{name}_table" if name in RESERVED else name


if __name__ == "__main__":
    print(of_problem(sys.argv[1]))

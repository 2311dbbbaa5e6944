"""The one form of a name, in tables, contracts and requests, and the names that contracts have for headers."""

import re
import unicodedata
from dataclasses import dataclass

LONGEST = 63
"""The most letters of a column's or a problem's name."""
_LETTERS = str.maketrans(
    {"ß": "ss", "ı": "i", "ł": "l", "Ł": "l", "ø": "o", "Ø": "o", "đ": "d", "Đ": "d", "æ": "ae", "Æ": "ae", "œ": "oe"}
)
_SIGNS = {"²": "2", "³": "3", "%": " percent ", "€": " eur ", "$": " usd ", "£": " gbp ", "#": " number ", "&": " and "}
_BETWEEN_WORDS = re.compile(r"(?<=[A-Za-z][a-z])(?=[A-Z])|(?<=[0-9])(?=[A-Z][a-z])")
"""TotalCharges has two words; pH, kWh and iPhone are one each."""
_NO_WIDTH = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
"""Zero width space, word joiner, byte order mark. Joiners of letters are not among them: they change what is read."""


def normal(text: str) -> str:
    """A text in Unicode's composed form (NFC), with one blank for each run of white space and none around it.

    White space is every character that Unicode calls so, the non-breaking space too; characters without a width are
    left out. Letters, case and punctuation stay as they are.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_NO_WIDTH))
    return " ".join(text.split())


@dataclass(frozen=True)
class Names:
    """The reader of a table's names.

    Args:
        absent: texts that stand for a missing name.
        lower: whether names that differ by case alone are one name, in small letters; requests may have it in any case.
    """

    absent: tuple[str, ...] = ()
    lower: bool = False

    def __call__(self, text: str) -> str | None:
        """The name of a text, None where it is missing."""
        if text in self.absent:
            return None
        return text.casefold() if self.lower else text


def snake(text: str, otherwise: str) -> str:
    """A text in lower snake case of the letters a to z; `otherwise` where it has none of them and no digit."""
    for sign, words in _SIGNS.items():
        text = text.replace(sign, words)
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = _BETWEEN_WORDS.sub("_", text)
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not name:
        return otherwise
    return (name if name[0].isalpha() else f"{otherwise.split('_', maxsplit=1)[0]}_{name}")[:LONGEST].rstrip("_")


def apart(text: str) -> str:
    """The words of a text that are joined by capitals or `_`, with blanks between them: Total Charges, Größe m²."""
    return _BETWEEN_WORDS.sub(" ", text).replace("_", " ")

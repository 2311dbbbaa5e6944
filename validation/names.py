"""The one form of a name, in tables, contracts and requests."""

import unicodedata
from dataclasses import dataclass

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

"""The encoding of an uploaded CSV file: Unicode, or Windows-1252 where its letters leave no doubt.

Training weighs a dozen code pages, and its log shows a person the guess. Here nobody reads a log, and a wrong guess is
a name that the model does not know: what may be another code page is refused.
"""

import codecs
import re
from pathlib import Path

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SMALL = "äöüéèêëàâáãåæçíìîïñóòôõøœúùû"
_CAPITAL = _SMALL.upper()
_LETTERS = f"{_SMALL}{_CAPITAL}ß"
_WITHIN = "’–—·…\xa0"  # noqa: RUF001
_SIGNS = "€£§°²³«»„“”‘‚¿¡ªº®™©±½¼¾"  # noqa: RUF001
_OTHER = re.compile(rf"[^\x00-\x7f{_LETTERS}{_SIGNS}{_WITHIN}]")
_ODD = re.compile(
    rf"[^\W\d_²³ªº][{_SIGNS}][^\W\d_]"  # a sign within a word, as in "Wroc³aw"
    rf"|[²³°ªº®£][^\W\d_]"  # before a word, as in "£ódŸ"
    rf"|[a-z{_SMALL}ß][{_CAPITAL}]|[{_SMALL}][A-Z]"  # a capital behind a small letter, as in "dÜrre"
    rf"|[{_LETTERS}]{{3}}"  # as in "Ìîñêâà", which is Moscow in Cyrillic
)
"""What is not as words of western Europe are, read as Windows-1252."""


def of(path: Path) -> str:
    """The encoding of a text file, as Python calls it.

    Raises:
        UnicodeDecodeError: it is no UTF-8, and may be in another code page than Windows-1252.
    """
    content = path.read_bytes()
    if content.startswith(_UTF16):
        return "utf-16"
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252")
        if _OTHER.search(text) or _ODD.search(text):
            raise
        return "cp1252"
    return "utf-8-sig"

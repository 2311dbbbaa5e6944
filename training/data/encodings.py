"""Which encoding the bytes of a text are in that says none: the one under which its letters are those of a language.

Windows-1252, which Excel writes in western Europe, is the first that is tried, and another takes its place only if
fewer letters are out of place under it. A letter is out of place if the language has none like it ("Mьnchen"), or if it
stands where none does: a capital behind a small letter ("MŸnchen"), a sign within a word ("Wroc³aw"). What fits no
language that is listed here is left to charset-normalizer: Chinese, Japanese and Korean are.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping

import charset_normalizer

_MIXED = 0.25
"""What a letter costs in a text of several languages of one encoding, where one that is out of place costs 1."""
_MOST = 0.3
"""The share of letters out of place above which a text is in none of the languages."""
_HIGH = re.compile(rb"[\x80-\xff]")

_GERMAN, _FRENCH, _SPANISH = "äöüß", "àâçéèêëîïôùûüÿœæ", "áéíóúüñ"
_POLISH, _CZECH, _HUNGARIAN = "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áéíóöőúüű"
_WEST = {
    "German": _GERMAN + "é",
    "French": _FRENCH,
    "Spanish": _SPANISH,
    "Portuguese": "áâãàçéêíóôõúü",
    "Italian": "àèéìíîòóùú",
    "Catalan": "àçèéíïòóúü",
    "Dutch": "áéëïóöüè",
    "Nordic": "åäöæøéü",
}
_CENTRAL = {
    "Polish": _POLISH,
    "Czech": _CZECH,
    "Slovak": "áäčďéíĺľňóôŕšťúýž",
    "Hungarian": _HUNGARIAN,
    "Romanian": "ăâîşţ",
    "Croatian": "čćđšž",
}
_ICELANDIC = {"Icelandic": "áéíóúýþæöð"}
_TURKISH = {"Turkish": "çğıöşüâîûİ"}
_BALTIC = {"Lithuanian": "ąčęėįšųūž", "Latvian": "āčēģīķļņšūž", "Estonian": "äõöüšž"}
_CYRILLIC = {"Cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґўђјљњћџѓќѕ"}
_GREEK = {"Greek": "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"}
_HEBREW = {"Hebrew": "אבגדהוזחטיךכלםמןנסעףפץצקרשת"}
_ARABIC = {"Arabic": "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگک"}
_CANDIDATES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("cp1252", _WEST),
    ("cp1254", _TURKISH),  # before Icelandic, which has other letters in the same places
    ("cp1252", _ICELANDIC),
    ("cp1250", _CENTRAL),
    ("cp1255", _HEBREW),  # before Cyrillic, whose small letters stand in the same places
    ("cp1251", _CYRILLIC),
    ("cp1253", _GREEK),
    ("cp1256", _ARABIC),
    ("cp1257", _BALTIC),
    ("iso8859_15", _WEST),
    ("iso8859_2", _CENTRAL),
    ("koi8_r", _CYRILLIC),
    ("cp866", _CYRILLIC),
    ("mac_roman", _WEST),
    ("cp850", _WEST),
)
"""Each encoding and the small letters of languages that are written in it; of equals the first is taken."""
_SCRIPTS = frozenset({"cp1251", "cp1253", "cp1255", "cp1256", "koi8_r", "cp866"})
"""Encodings whose letters are all of another script: every second byte of a Chinese text is one of them too."""
_OTHERS = ("gb18030", "big5", "cp932", "euc_jp", "cp949")
"""What is left to charset-normalizer; a guess among all that there are finds rare ones in short texts."""

_QUOTES = frozenset("«»„“”‘’‚‹›…–—•·°€£\xa0")  # noqa: RUF001
_BEFORE = _QUOTES | frozenset("¿¡§µ")
"""Signs that may stand before a letter."""
_BEHIND = _QUOTES | frozenset("²³¹ªº®™")
"""Signs that may stand behind one."""
_WITHIN = frozenset("’–—·\xa0…")  # noqa: RUF001
"""Signs that may stand between two."""
_FINAL = frozenset("ךםןףץς")
"""Letters that end a word."""
_SIGNS = _BEFORE | _BEHIND | _WITHIN | frozenset("±×÷½¼¾µ©¥¢‰†№´\xad")  # noqa: RUF001

_Windows = Counter[tuple[bytes, bytes, bytes]]


def guess(text: bytes) -> str | None:
    """The encoding of a text that is neither ASCII nor Unicode, as Python calls it; None if it is in no usual one.

    A text of few letters may be in several, and then the first of the list is said: a guess is no proof.
    """
    windows: _Windows = Counter(
        (text[max(place - 1, 0) : place], text[place : place + 1], text[place + 1 : place + 2])
        for place in (found.start() for found in _HIGH.finditer(text))
    )
    cost, best = min(((_cost(windows, *each), each[0]) for each in _CANDIDATES), key=lambda pair: pair[0])
    fits = cost <= _MOST * windows.total()
    if cost == 0 or (fits and best not in _SCRIPTS):
        return best
    isolation = [*([best] if fits else []), *_OTHERS]
    other = charset_normalizer.from_bytes(text, cp_isolation=isolation, threshold=0.4).best()
    return other.encoding if other is not None else best if fits else None


def _cost(windows: _Windows, encoding: str, languages: Mapping[str, str]) -> float:
    """The letters that are out of place under an encoding, in the language that has the fewest; all if it lacks a byte.

    The neighbours of a letter are bytes too, so that they are decoded with it.
    """
    out_of_place = 0
    letters: Counter[str] = Counter()
    for (before, byte, behind), times in windows.items():
        try:
            letter = byte.decode(encoding)
        except UnicodeDecodeError:
            return math.inf
        around = (before.decode(encoding, "replace"), behind.decode(encoding, "replace"))
        if _stands(letter, *around):
            letters[letter] += times
        else:
            out_of_place += times
    used = {letter: times for letter, times in letters.items() if letter not in _SIGNS}
    mixed = _foreign(used, "".join(languages.values())) + _MIXED * sum(used.values())
    return out_of_place + min([mixed, *(_foreign(used, alphabet) for alphabet in languages.values())])


def _foreign(letters: Mapping[str, int], alphabet: str) -> int:
    """How many letters are not of an alphabet."""
    return sum(times for letter, times in letters.items() if letter.lower() not in alphabet and letter not in alphabet)


def _stands(letter: str, before: str, behind: str) -> bool:
    """Whether a letter or a sign may stand between its neighbours, which are empty at the ends of a text."""
    if letter in _SIGNS:
        return _sign_stands(letter, before, behind)
    if not letter.isalpha() or (letter in _FINAL and behind.isalpha()):
        return False
    if letter > "ʯ" and any(other.isascii() and other.isalpha() for other in (before, behind)):
        return False  # two scripts in one word
    return not (before.islower() and letter.isupper()) and not (letter.islower() and behind.isupper())


def _sign_stands(sign: str, before: str, behind: str) -> bool:
    if sign not in _QUOTES and any(other in _SIGNS - _QUOTES for other in (before, behind)):
        return False
    if before.isalpha() and behind.isalpha():
        return sign in _WITHIN
    return (not behind.isalpha() or sign in _BEFORE) and (not before.isalpha() or sign in _BEHIND)

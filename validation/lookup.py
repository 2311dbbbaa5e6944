"""Looking names up among many thousands: those that somebody may have meant by a text, found without reading all."""

import bisect
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

from validation.names import normal
from validation.similar import alike, pairs

READ = 10_000
"""How many names are searched for a text inside of them: a millisecond's work."""
_NEIGHBOURS = 10
_LONGEST = 64
_SHORT, _LETTERS = 20, 36
"""Slips are tried in texts of at most `_SHORT` letters, with the `_LETTERS` most common letters: 1,500 at most."""


class Lookup:
    """The names of a category, sorted by their beginnings and by their ends."""

    def __init__(self, names: Sequence[str]) -> None:
        """Sort names, which come with the most common first."""
        self.letters = 8_000
        """The work of one search, whatever the names, in letters of names compared as `Similar` has it."""
        self._often = [(name.casefold(), name) for name in names]
        self._names = dict(reversed(self._often))  # of names that differ in case alone the most common one
        letters = Counter("".join(folded for folded, _ in self._often[:READ]))
        self._letters = "".join(letter for letter, _ in letters.most_common(_LETTERS))
        self._sorted = sorted(self._often)
        self._reversed = sorted((folded[::-1], name) for folded, name in self._often)

    def __len__(self) -> int:
        return len(self._often)

    def like(self, text: str, most: int) -> list[str]:
        """Up to `most` names that a text may become: that begin with it, that contain it, that are near it.

        Case does not matter. Without a text they are the most common ones; so are the first of each kind, as far as
        the first `READ` names go.
        """
        wanted = normal(text[:_LONGEST]).casefold()
        if not wanted:
            return [name for _, name in self._often[:most]]
        inside = [pair for pair in itertools.islice(self._often, READ) if wanted in pair[0]]
        begun = [name for folded, name in inside if folded.startswith(wanted)]
        begun += self._beginning(wanted, most) if len(begun) < most else []
        matches = list(dict.fromkeys([*begun, *(name for _, name in inside)]))
        return (matches or self.near(text, most))[:most]

    def _beginning(self, wanted: str, most: int) -> list[str]:
        start = bisect.bisect_left(self._sorted, (wanted,))
        following = self._sorted[start : start + most]
        return [name for folded, name in following if folded.startswith(wanted)]

    def near(self, text: str, most: int) -> list[str]:
        """Up to `most` names that differ a little from a text, the nearest first.

        Only those are compared that are one slip away, or next to it in the order of beginnings or of ends.
        """
        wanted = normal(text[:_LONGEST]).casefold()
        slips = [slip for slip in _slips(wanted, self._letters) if slip in self._names]
        begins = [folded for folded, _ in _around(self._sorted, wanted)]
        ends = [backwards[::-1] for backwards, _ in _around(self._reversed, wanted[::-1])]
        neighbours = {folded[:_LONGEST]: self._names[folded] for folded in (*begins, *ends)}
        close = alike(wanted, ((name, pairs(folded)) for folded, name in neighbours.items()), most)
        return list(dict.fromkeys([*(self._names[slip] for slip in slips), *close]))[:most]

    def nearest(self, text: str) -> list[str]:
        """What the error for a text suggests: a few that are near it, and no others."""
        return self.near(text, 5)


def _slips(text: str, letters: str) -> Iterator[str]:
    """A text with another letter in a place, two letters the other way round, one too many or one too few.

    As in Peter Norvig's "How to Write a Spelling Corrector" (2007); long texts have too many of them.
    """
    if len(text) > _SHORT:
        return
    for place in range(len(text) + 1):
        before, behind = text[:place], text[place:]
        yield before + behind[1:]
        yield before + behind[1:2] + behind[:1] + behind[2:]
        for letter in letters:
            yield before + letter + behind[1:]
            yield before + letter + behind


def _around(ordered: Sequence[tuple[str, str]], wanted: str) -> Sequence[tuple[str, str]]:
    """The entries just before and behind the place of a text in an order."""
    place = bisect.bisect_left(ordered, (wanted,))
    return ordered[max(place - _NEIGHBOURS, 0) : place + _NEIGHBOURS]

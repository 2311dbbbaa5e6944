"""Names like a text, found in time that grows with their letters and with nothing else."""

from collections.abc import Iterable

_LONGEST = 64
"""How many letters of a text are compared at most."""
_LIKE = 0.35
"""The least similarity of what may have been meant; `Osloo` and `Oslo` have 0.73."""


def alike(text: str, names: Iterable[tuple[str, frozenset[str]]], most: int) -> list[str]:
    """Up to `most` names that are like a text, the most similar first; each name comes with its `pairs`.

    Similarity is the Dice coefficient of the pairs of letters, as in Adamson and Boreham (1974). Looking for the
    longest common parts (`difflib`) takes the product of the lengths, which callers choose.
    """
    wanted = pairs(text)
    likeness = ((2 * len(wanted & letters) / (len(wanted) + len(letters)), name) for name, letters in names)
    close = sorted((pair for pair in likeness if pair[0] >= _LIKE), key=lambda pair: -pair[0])
    return [name for _, name in close[:most]]


def pairs(text: str) -> frozenset[str]:
    """The pairs of letters that stand beside each other, the ends included; case does not matter."""
    padded = f" {text[:_LONGEST].casefold()} "
    return frozenset(padded[place : place + 2] for place in range(len(padded) - 1))


class Similar:
    """A few hundred names, whose pairs of letters are kept so that comparing a refused text with them costs little."""

    def __init__(self, names: Iterable[str]) -> None:
        """Sort the names and collect their pairs of letters."""
        self._names = [(name, pairs(name)) for name in sorted(names)]
        self.letters = sum(len(name) for name, _ in self._names)
        """Of all names: the work of one comparison."""

    def nearest(self, text: str, most: int = 20) -> list[str]:
        """Up to `most` names: those like the text, the most similar first, and then others in their order."""
        close = alike(text, self._names, 5)
        remaining = (name for name, _ in self._names[: most + len(close)] if name not in close)
        return [*close, *remaining][:most]

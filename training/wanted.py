"""What `make serve PROBLEM=…` names: problems to train, and registered versions to serve as they are."""

from typing import NamedTuple

from problems import base
from problems.base import Problem
from validation.errors import SettingsError

_BETWEEN, _OF = ",", "@"


class Wanted(NamedTuple):
    """One part of the list.

    Attributes:
        problem: whose model it is.
        called: the number or the alias of a registered version; empty for the champion, once what is due was trained.
    """

    problem: Problem
    called: str = ""

    def __str__(self) -> str:
        return f"{self.problem.name}{_OF}{self.called}" if self.called else self.problem.name


def read(text: str) -> list[Wanted]:
    """Read `name`, `name@alias` or `name@number`, or several with commas between them.

    Raises:
        SettingsError: it is no such list, or names something twice.
        ContractError: there is no such problem.
    """
    if any(map(str.isspace, text)):
        raise SettingsError(f"PROBLEM={text!r} has blanks; write it without: PROBLEM={''.join(text.split())}.")
    wanted = [_part(part, text) for part in text.split(_BETWEEN)]
    twice = next((each for place, each in enumerate(wanted) if each in wanted[:place]), None)
    if twice is not None:
        raise SettingsError(f"PROBLEM={text} names {twice} twice; name it once.")
    return wanted


def _part(part: str, text: str) -> Wanted:
    name, of, called = part.partition(_OF)
    if not name:
        where = f"{part!r}, which names no problem" if part else "an empty name"
        raise SettingsError(
            f"PROBLEM={text} has {where}. Write names with commas between them: {', '.join(base.names())}."
        )
    problem = base.load(name)
    if of and not called:
        raise SettingsError(
            f"PROBLEM={text} names no version after '{part}': write {name} for what training leaves as champion, or "
            f"{name}@ and a version or an alias that `python -m training registry list {name}` shows."
        )
    return Wanted(problem, called)

"""The limits of a running service, from environment variables. Names that nobody knows are refused."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from validation.errors import SettingsError

PREFIX = "BOXWOOD_"
NOT_SETTINGS = frozenset({"BOXWOOD_DATA"})
"""Names with the prefix that are read elsewhere: where the tests find real tables."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the service; `BOXWOOD_<NAME>` sets it.

    Attributes:
        max_body_bytes: the largest request body.
        max_rows: the most rows of one request.
    """

    max_body_bytes: int = 16 * 2**20
    max_rows: int = 20_000

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; raises SettingsError, naming what there is, for an unknown name or a bad value."""
        known = {PREFIX + field.name.upper(): field.name for field in dataclasses.fields(cls)}
        values: dict[str, int] = {}
        for variable, text in environment.items():
            if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
                continue
            if variable not in known:
                raise SettingsError(f"{variable} is not a setting. There are: {', '.join(known)}.")
            if not text.isdecimal() or int(text) < 1:
                raise SettingsError(f"{variable} is {text!r}; it takes a whole number of at least 1.")
            values[known[variable]] = int(text)
        return cls(**values)

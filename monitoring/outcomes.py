"""python -m monitoring outcomes MODEL TABLE: true values, which come late, are joined with the answers."""

import datetime
import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from model.record import CHALLENGER, EXPLORING, KeyHash, Role
from monitoring import journal, outcome_table, truth
from monitoring.outcome_table import Cells
from monitoring.store import Store
from monitoring.truth import Identity, Outcomes, Truth
from problems import base
from validation.contract import Column, Contract, Kind
from validation.errors import SettingsError, TableError
from validation.parsing import parse_text, parse_typed
from validation.values import reader

SECRET = "BOXWOOD_JOURNAL_SECRET"  # noqa: S105  # the setting's name
REFUSED = "outcomes_refused"
"""The folder of rows that were not taken, and why; keys are not among them, which the store has as hashes only."""
_ID = "prediction_id"
_OUTCOME = "record.outcome"
_MOST_REASONS = 3
_OF_CASES: tuple[Role, ...] = ("", CHALLENGER)
"""The roles of answers that callers got, and whose true value may come."""


@dataclass
class Brought:
    """What became of a table.

    Attributes:
        rows: how many it has.
        good: how many true values it tells.
        new, corrected: how many were not known, and how many were known as others.
        joined, waiting: of how many the answer is in the store, and of how many it is not yet.
        shared: how many keys belong to several answers; each of these has the truth.
        empty: how many rows have no true value yet.
        refused: how many rows have a mistake, and `refusals` where these are told.
        reasons: how many were refused for each reason.
        keys: whether the table told by keys which rows it means, and `hashed` whether answers in the store have hashes.
    """

    rows: int
    good: int = 0
    new: int = 0
    corrected: int = 0
    joined: int = 0
    waiting: int = 0
    shared: int = 0
    empty: int = 0
    refused: int = 0
    refusals: str = ""
    reasons: dict[str, int] = field(default_factory=dict)
    keys: bool = False
    hashed: bool = False

    def __str__(self) -> str:
        told = f"{_counted(self.rows, 'row')}. True values with their answer: {self.joined:,}; waiting for it: "
        told += f"{self.waiting:,}; new: {self.new:,}; corrected: {self.corrected:,}."
        told += f" Without a true value yet: {_counted(self.empty, 'row')}." if self.empty else ""
        if self.shared:
            told += f" {_counted(self.shared, 'key')} with several answers: each of these got the value."
            told += " Retraining takes the last."
        if self.refused:
            reasons = "; ".join(f"{reason} ({count:,})" for reason, count in [*self.reasons.items()][:_MOST_REASONS])
            told += f" Refused: {_counted(self.refused, 'row')}, because {reasons}. {self.refusals} has all of them."
        if self.keys and not self.joined and self.waiting:
            told += self._why_none()
        return told

    def _why_none(self) -> str:
        if not self.hashed:
            return f" No answer in the store has keys: callers sent none, or the service had no {SECRET}."
        return f" No key is that of an answer. Is {SECRET} that of the service?"


def bring(store: Store, contract: Contract, address: str, secret: str = "") -> Brought:
    """Read a table of true values into the watch store; the same table again changes nothing.

    Args:
        store: of the model.
        contract: what the target and the keys are called, and how they are written.
        address: a CSV, Parquet or JSON lines file with `prediction_id` or key columns, and the target.
        secret: what the service hashes keys with.

    Raises:
        TableError: it cannot be read, or has no such columns.
        SettingsError: it has keys, and there is no secret.
        StoreError: the store cannot be read or written; then nothing of the table is in it.
    """
    cells = outcome_table.read(address)
    table = _Table(contract, cells, secret, address)
    done = Brought(len(next(iter(cells.values()), [])), keys=table.by_keys)
    good, refused = table.read(done)
    known = truth.read(store)
    changed = {identity: value for identity, value in good.items() if known.get(identity, ...) != value}
    done.good, done.corrected = len(good), len(changed.keys() & known.keys())
    done.new = len(changed) - done.corrected
    if refused:
        done.refusals = _refuse(store, refused, address)
    if changed:
        truth.write(store, f"{_next(store):06d}-{_digest(sorted(map(repr, changed.items())))}", changed)
    _count_joined(store, good, done)
    return done


def labelled(store: Store) -> pd.DataFrame:
    """Answered rows whose true values have come, the earliest first, for training.

    Each true value is there once, with the last answer that it is of: who asks about one booking a thousand times has
    brought one row to learn from. Rows of one day are held at once, and the labelled ones of all days.

    Returns:
        What `journal.load` gives of the answers to cases that callers got, and the target under its own name.

    Raises:
        ContractError: there is no problem of the model's name.
        StoreError: the store cannot be read.
    """
    contract = base.load(store.model).contract
    known = Truth(truth.read(store))
    found = [rows for day in journal.days(store) if len(rows := _labelled_on(store, contract, day, known))]
    if not found:
        return pd.DataFrame({column.name: [] for column in (*contract.inputs, contract.target)})
    rows = pd.concat(found, ignore_index=True).drop_duplicates(_OUTCOME, keep="last", ignore_index=True)
    return rows.drop(columns=_OUTCOME).rename(columns={truth.ACTUAL: contract.target.name})


def _labelled_on(store: Store, contract: Contract, day: datetime.date, known: Truth) -> pd.DataFrame:
    """The labelled cases of a day, and which true value they have as _OUTCOME."""
    rows = journal.load(store, contract, day, day, role=None)
    rows = rows[rows[journal.ROLE].isin(_OF_CASES).to_numpy()].reset_index(drop=True)
    places = known.places(rows[journal.PREDICTION_ID].tolist(), journal.hashes(rows))
    actual = journal.stored(contract.target, known.at(places))
    rows = rows.assign(**{truth.ACTUAL: actual, _OUTCOME: pd.Series(places, dtype="Int64")})
    return rows[actual.notna().to_numpy()]


class _Mistake(ValueError):
    """Why a row is refused."""


class _Table:
    """The rows of a table of true values."""

    def __init__(self, contract: Contract, cells: Cells, secret: str, address: str) -> None:
        """Find its columns; raises TableError and SettingsError."""
        self._target = contract.target
        self._ids = cells.get(_ID)
        self._keys = {key: found for key in contract.keys if (found := outcome_table.column_of(key, cells)) is not None}
        values = outcome_table.column_of(contract.target, cells)
        names = " or ".join(dict.fromkeys((repr(contract.target.name), repr(contract.target.source))))
        if values is None:
            raise TableError(f"{address} has no column {names}; it has: {', '.join(map(repr, cells))}.")
        if self._ids is None and not self._keys:
            wanted = ", ".join(repr(name) for name in (_ID, *(key.name for key in contract.keys)))
            raise TableError(f"{address} does not tell which rows it means; give it one of the columns {wanted}.")
        self._values = values
        self.by_keys = self._ids is None
        if self.by_keys and not secret:
            raise SettingsError(
                f"{address} tells rows by their keys, and {SECRET} is not set: give it the value that the service has, "
                f"or bring a table with '{_ID}'."
            )
        self._hash = KeyHash(secret)

    def read(self, done: Brought) -> tuple[Outcomes, list[tuple[int, str, str]]]:
        """The true values, and of rows that are refused the number, the `prediction_id` and the reason."""
        found: dict[Identity, list[tuple[int, Any]]] = defaultdict(list)
        refused: list[tuple[int, str, str]] = []
        for place, cell in enumerate(self._values):
            try:
                value = _read(self._target, cell)
                if value is None:
                    done.empty += 1
                else:
                    found[self._identity(place)].append((place, value))
            except _Mistake as mistake:
                refused.append((place + 1, self._id(place), str(mistake)))
        good: Outcomes = {}
        for identity, told in found.items():
            if len({repr(value) for _, value in told}) == 1:
                good[identity] = told[0][1]
            else:
                reason = f"several rows tell different values of '{self._target.name}' for one answer"
                refused += [(place + 1, self._id(place), reason) for place, _ in told]
        done.refused = len(refused)
        for _, _, reason in refused:
            done.reasons[reason] = done.reasons.get(reason, 0) + 1
        return good, sorted(refused)

    def _id(self, place: int) -> str:
        found = None if self._ids is None else self._ids[place]
        return "" if found is None else str(found).strip()

    def _identity(self, place: int) -> Identity:
        if self._ids is not None:
            if prediction_id := self._id(place):
                return Identity(prediction_id)
            raise _Mistake(f"'{_ID}' is missing")
        try:
            keys = {key.name: _read(key, cells[place]) for key, cells in self._keys.items()}
        except _Mistake as mistake:  # it quotes the key, which the store must not hold
            raise _Mistake("a key is no value of its column") from mistake
        missing = next((name for name, value in keys.items() if value is None), None)
        if missing is not None:
            raise _Mistake(f"'{missing}' is missing")
        return Identity(keys=tuple(sorted(self._hash(keys).items())))


def _read(column: Column, cell: Any) -> Any:
    """A cell as requests would write it, None where it is missing; raises _Mistake."""
    if isinstance(cell, float) and math.isnan(cell):
        return None
    try:
        value = parse_text(column, cell) if isinstance(cell, str) else parse_typed(column, cell)
        if value is None:
            return None
        read = reader(column)(value)
    except ValueError as error:
        raise _Mistake(f"'{column.name}': {error}") from error
    if column.numeric:
        return read
    return read if column.kind is Kind.CATEGORY else value


def _next(store: Store) -> int:
    """The number of the next file of true values: above all that are there, since the later one counts."""
    numbers = (name.rpartition("/")[2].partition("-")[0] for name in store.names(truth.FOLDER, ".parquet"))
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


def _refuse(store: Store, refused: Sequence[tuple[int, str, str]], address: str) -> str:
    """Write which rows were refused and why; the file's name."""
    name = f"{REFUSED}/{_digest([address, *map(repr, refused)])}.parquet"
    store.write_table(name, pd.DataFrame(refused, columns=["row", _ID, "reason"]))
    return f"{name} of {store.address}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"


def _digest(texts: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(texts).encode(), digest_size=8).hexdigest()


def _count_joined(store: Store, good: Outcomes, done: Brought) -> None:
    found, answers = Truth(good), defaultdict[int, set[str]](set)
    for prediction_id, keys in _answers(store):
        done.hashed |= bool(keys)
        for place in found.matches(prediction_id, keys):
            answers[place].add(prediction_id)
    done.joined = len(answers)
    done.waiting = len(good) - len(answers)
    done.shared = sum(len(ids) > 1 for ids in answers.values())


def _answers(store: Store) -> Iterator[tuple[str, Mapping[str, str]]]:
    for part in journal.ids(store):
        cases = part[part[journal.ROLE] != EXPLORING]
        yield from zip(cases[journal.PREDICTION_ID], journal.keys(cases[journal.KEYS].tolist()), strict=True)

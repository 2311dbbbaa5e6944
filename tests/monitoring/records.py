"""Answered rows of a small model, as the service journals them."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from model.outcomes import Binary, Regression
from model.outcomes.sets import Sets
from model.record import EVENT, KeyHash, Record, Role
from model.watched import Watched
from validation import contract as contracts
from validation.contract import Column, Contract, Kind

MODEL, VERSION, SECRET = "flats", "a" * 16, "of the service"
DAY = datetime.date(2026, 11, 30)
CONTRACT = Contract(
    (
        Column(name="flat", source="Flat No", kind=Kind.INTEGER, role=contracts.Role.KEY, example=1),
        Column(name="district", kind=Kind.CATEGORY, example="North"),
        Column(name="area", kind=Kind.REAL, ge=0, nullable=True, example=80.0),
        Column(name="balcony", kind=Kind.FLAG, nullable=True, example=True),
        Column(name="listed", kind=Kind.DATE, nullable=True, example="2026-11-01"),
        Column(name="price", source="Price paid", kind=Kind.REAL, role=contracts.Role.TARGET, ge=0),
    )
)
LABELS = Contract((CONTRACT.columns[1], Column(name="sold", kind=Kind.FLAG, role=contracts.Role.TARGET)))


def record(number: int, *, role: Role = "", version: str = VERSION, day: datetime.date = DAY, **row: Any) -> Record:
    """The answer to flat `number`, whose price is said to be a hundred times that."""
    answered = {"district": "North", "area": 80.0, "balcony": True, "listed": "2026-11-01"}
    value = float(100 * number)
    return Record(
        event=EVENT,
        time=f"{day.isoformat()}T10:00:{number % 60:02d}.000Z",
        model=MODEL,
        version=version,
        prediction_id=f"id-{number}",
        row=answered | row,
        scores=[value, value - 50, value + 50],
        prediction=value,
        keys=KeyHash(SECRET)({"flat": number}),
        role=role,
    )


def write(path: Path, records: Iterable[Record], mode: str = "wb") -> None:
    """Write lines as the service does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(b"".join(msgspec.json.encode(each) + b"\n" for each in records))


def watched(contract: Contract = CONTRACT, outcome: Regression | Binary | None = None) -> Watched:
    """What training leaves of the model."""
    numbers = Regression(coverage=0.9, width=1.0, factors={}, trend=None, low=None, high=None)
    mae, log_loss = {"name": "mae", "objective": "regression_l1"}, {"name": "log_loss", "objective": "binary"}
    return Watched(
        model=MODEL,
        version=VERSION,
        contract=[column.describe() for column in contract.columns],
        outcome=numbers if outcome is None else outcome,
        importance={},
        loss={**(mae if outcome is None else log_loss)},
        vocabularies={"district": ["North", "South"]},
    )


def binary(mass: float = 0.8) -> Binary:
    """Two classes whose sets have both where the answer's probability is at most `mass`."""
    return Binary(classes=("false", "true"), slope=1.0, intercept=0.0, threshold=0.5, sets=Sets(0.9, mass))

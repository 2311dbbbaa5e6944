"""Rents: a problem with every kind of column, learned state, and no order in time. Copied into a project by a test."""

from problems.base import Problem, State, calendar_features
from problems.features import target_mean, target_means
from validation.contract import Column, Contract, Kind, Role, Unseen
from validation.decode import Columns


def rooms(text: str) -> int:
    """'4+1' is four rooms and a living room."""
    return sum(int(part) for part in text.split("+"))


CONTRACT = Contract(
    (
        Column(name="city", kind=Kind.CATEGORY, source="Şehir", help="City", example="Oslo"),
        Column(name="energy", kind=Kind.CATEGORY, choices=("A", "B", "C"), nullable=True, unseen=Unseen.WARN),
        Column(name="rooms", kind=Kind.INTEGER, source="Oda Sayısı", parse=rooms, ge=1, nullable=True, example=5),
        Column(name="area", kind=Kind.REAL, unit="m2", ge=1, help="Living space", example=80.0),
        Column(name="furnished", kind=Kind.FLAG, nullable=True, example=True),
        Column(name="built", kind=Kind.DATE, nullable=True, example="1990-01-01"),
        Column(name="listed", kind=Kind.TIMESTAMP, example="2024-02-29T10:00:00"),
        Column(name="deposit", kind=Kind.REAL, role=Role.FORBIDDEN, help="Three rents"),
        Column(name="rent", kind=Kind.REAL, role=Role.TARGET, unit="EUR", ge=0),
        Column(name="landlord", kind=Kind.CATEGORY, help="Who lets it: ten agencies, and owners with a flat or two"),
        Column(name="number", kind=Kind.CATEGORY, role=Role.KEY, source="No"),
    )
)


def cross_fit(columns: Columns) -> State:
    """The mean rent of each city."""
    return target_means(columns, "rent", ["city"], prior_rows=1)


def features(columns: Columns, state: State) -> Columns:
    """The calendar's features, what the city costs, and the space of a room."""
    return {
        **calendar_features(columns, state),
        **target_mean(columns, state),
        "rooms+area.space": columns["area"] / columns["rooms"],
    }


PROBLEM = Problem(name="letting", title="Rent of a flat", contract=CONTRACT, cross_fit=cross_fit, features=features)

"""Rents: a problem with every kind of column, learned state, and no order in time. Copied into a project by a test."""

import numpy as np

from problems.base import Problem, State, calendar_features
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


def fit(columns: Columns) -> State:
    """The mean rent of each city."""
    cities = {str(city) for city in columns["city"]}
    return {"rent_of": {city: float(columns["rent"][columns["city"] == city].mean()) for city in sorted(cities)}}


def features(columns: Columns, state: State) -> Columns:
    """The calendar's features, what the city costs, and the space of a room."""
    rent_of = state["rent_of"]
    return {
        **calendar_features(columns, state),
        "city.rent": np.array([rent_of.get(city, np.nan) for city in columns["city"]]),
        "rooms+area.space": columns["area"] / columns["rooms"],
    }


PROBLEM = Problem(name="letting", title="Rent of a flat", contract=CONTRACT, fit=fit, features=features)

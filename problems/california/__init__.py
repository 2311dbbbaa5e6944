"""California: the median value of the houses of a block group, a census district of about 1,400 people, in 1990.

The table is that of Pace and Barry (1997), with `ocean_proximity` added and 207 numbers of bedrooms taken out.
"""

import numpy as np

from problems.base import Problem, State
from problems.features import ratio
from problems.features.places import centres, near
from validation.contract import Column, Contract, Kind, Role
from validation.decode import Columns

_PLACE = ("latitude", "longitude")
_PLACES = 100
_KM = 25.0
_SHORES = ("<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN")


def _degrees(name: str, text: str, least: float, most: float, example: float) -> Column:
    """A coordinate within California."""
    return Column(name=name, kind=Kind.REAL, help=text, unit="°", ge=least, le=most, example=example)


def _count(name: str, text: str, example: int, least: int = 0, nullable: bool = False) -> Column:
    return Column(name=name, kind=Kind.INTEGER, help=text, ge=least, nullable=nullable, example=example)


CONTRACT = Contract(
    (
        _degrees("longitude", "East of Greenwich", -124.6, -114.0, -118.0),
        _degrees("latitude", "North of the equator", 32.4, 42.1, 34.3),
        Column(
            name="housing_median_age",
            kind=Kind.REAL,
            help="Median age of the houses; 52 is 52 or more",
            unit="years",
            ge=0.0,
            example=28.0,
        ),
        _count("total_rooms", "Rooms of all households", 2130, 1),
        _count("total_bedrooms", "Bedrooms of all households", 435, 1, nullable=True),
        _count("population", "People", 1170, 1),
        _count("households", "Households", 409, 1),
        Column(
            name="median_income",
            kind=Kind.REAL,
            help="Median income of the households, cut to 0.5 to 15",
            unit="10,000 USD",
            ge=0.0,
            example=3.53,
        ),
        Column(
            name="median_house_value",
            kind=Kind.REAL,
            role=Role.TARGET,
            help="Median value of the houses; 500,001 is more than 500,000",
            unit="USD",
            ge=1.0,
        ),
        Column(
            name="ocean_proximity",
            kind=Kind.CATEGORY,
            help="Where it lies to the ocean",
            choices=_SHORES,
            example="<1H OCEAN",
        ),
    )
)


def fit(columns: Columns) -> State:
    """The places that the districts crowd around, and how many bedrooms a household has."""
    bedrooms = columns["total_bedrooms"] / columns["households"]
    bedrooms = bedrooms[~np.isnan(bedrooms)]
    return {
        "places": centres(columns, *_PLACE, count=_PLACES),
        "bedrooms": float(np.median(bedrooms) if len(bedrooms) else 1.0),
    }


def features(columns: Columns, state: State) -> Columns:
    """The columns, what a household has of rooms and people, and how near each of the places is.

    Missing bedrooms are those of the usual household: the median of all districts is much further off.
    """
    bedrooms = columns["total_bedrooms"]
    usual = columns["households"] * state["bedrooms"]
    columns = {**columns, "total_bedrooms": np.where(np.isnan(bedrooms), usual, bedrooms)}
    return {
        **columns,
        **ratio(columns, "total_rooms", "households"),
        **ratio(columns, "total_bedrooms", "total_rooms"),
        **ratio(columns, "population", "households"),
        **near(columns, *_PLACE, state["places"], km=_KM),
    }


PROBLEM = Problem(
    name="california",
    title="Median value of a district's houses in California",
    contract=CONTRACT,
    fit=fit,
    features=features,
)

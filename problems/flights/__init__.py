"""Flight fares: what does a seat cost, given where, when, how and through whom?"""

from problems.base import Problem
from validation.contract import Column, Contract, Kind, Role, Unseen
from validation.parsing import dates

CONTRACT = Contract(
    (
        Column(name="origin", kind=Kind.CATEGORY, source="from", help="City of departure", example="Recife (PE)"),
        Column(name="destination", kind=Kind.CATEGORY, source="to", help="City of arrival", example="Salvador (BH)"),
        Column(name="cabin", kind=Kind.CATEGORY, source="flightType", help="Class of travel", example="economic"),
        Column(
            name="agency",
            kind=Kind.CATEGORY,
            unseen=Unseen.WARN,
            help="Travel agency that sells the seat",
            example="CloudFy",
        ),
        Column(
            name="duration_hours",
            kind=Kind.REAL,
            source="time",
            unit="h",
            ge=0.0,
            le=48.0,
            help="Time in the air",
            example=1.75,
        ),
        Column(
            name="distance_km",
            kind=Kind.REAL,
            source="distance",
            unit="km",
            ge=0.0,
            le=20_100.0,
            help="Distance flown",
            example=675.15,
        ),
        Column(
            name="date",
            kind=Kind.DATE,
            role=Role.TIME,
            parse=dates("%m/%d/%Y"),
            help="Day of departure",
            example="2023-05-12",
        ),
        Column(
            name="price", kind=Kind.REAL, role=Role.TARGET, unit="USD", ge=0.0, help="Fare of one seat", example=904.12
        ),
        Column(
            name="travel_code", kind=Kind.INTEGER, role=Role.KEY, source="travelCode", help="Booking", nullable=True
        ),
        Column(name="user_code", kind=Kind.INTEGER, role=Role.KEY, source="userCode", help="Traveller", nullable=True),
    )
)

PROBLEM = Problem(
    name="flights",
    title="Fare of a flight",
    contract=CONTRACT,
    simulator="training.data.simulators.flights:simulate",
)

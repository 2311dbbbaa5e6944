"""Price in bikes.

Drafted from bikes.csv: what the comments doubt is yours to decide. docs/how-to/own-problem.md says how.
"""

from problems.base import Problem
from validation.contract import Column, Contract, Kind, Role

CONTRACT = Contract(
    (
        # it counts the rows
        Column(name="id", kind=Kind.INTEGER, role=Role.KEY, source="Id", nullable=True),
        # another name is refused; if there are more, take `choices` away
        Column(
            name="brand",
            kind=Kind.CATEGORY,
            source="Brand",
            choices=("Lumen", "Nordic", "Peak", "Vega"),
            example="Peak",
        ),
        # another name is refused; if there are more, take `choices` away
        Column(
            name="frame", kind=Kind.CATEGORY, source="Frame", choices=("aluminium", "carbon", "steel"), example="steel"
        ),
        Column(name="age_years", kind=Kind.REAL, source="Age (years)", example=6.0),
        Column(name="gears", kind=Kind.INTEGER, source="Gears", example=11),
        Column(name="price", kind=Kind.INTEGER, role=Role.TARGET, source="Price"),
    )
)

PROBLEM = Problem(name="bikes", title="Price in bikes", contract=CONTRACT)

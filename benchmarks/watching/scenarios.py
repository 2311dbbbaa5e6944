"""What happens to the market: what is done to it, and what whoever watches a model of it should say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.watching.market import HISTORY_DAYS, UNCHANGED, World

Meaning = Literal["harmful", "harmless", "unchanged"]


@dataclass(frozen=True)
class Scenario:
    """A change.

    Attributes:
        name: what it is called in tables.
        meaning: whether answers are worse for it.
        world: what is different from its first day on.
        level_a_day, offset_a_day: what comes to `World.level` as a factor, and to `World.demand_offset`, each day.
        days: for how many it is watched.
    """

    name: str
    meaning: Meaning
    world: World = UNCHANGED
    level_a_day: float = 1.0
    offset_a_day: float = 0.0
    days: int = 3

    @property
    def creeps(self) -> bool:
        """Whether it grows from day to day."""
        return self.level_a_day != 1.0 or self.offset_a_day != 0.0

    def after(self, days: int) -> World:
        """What is different so many days after its first one."""
        grown = self.world.level * self.level_a_day ** (days + 1)
        return replace(self.world, level=grown, demand_offset=self.world.demand_offset + self.offset_a_day * (days + 1))


SCENARIOS = (
    Scenario("a new agency sells 8 % of the seats", "harmful", World(seller=0.08)),
    Scenario("fuel nearly doubles, and fares follow", "harmful", World(fuel=1.9, noise=1.3)),
    Scenario("the sensor of demand sticks", "harmful", World(demand_stuck=True)),
    Scenario("20 % of the ratings are missing", "harmful", World(rating_missing=0.2)),
    Scenario("fares rise by 25 %, inputs stay", "harmful", World(level=1.25)),
    Scenario("fares creep up by 0.5 % a day", "harmful", level_a_day=1.005, days=30),
    Scenario("the sensor of demand creeps", "harmful", offset_a_day=0.8, days=30),
    Scenario("three times the odds of dear cabins", "harmless", World(dear_cabins=3.0)),
    Scenario("loyalty points double", "harmless", World(points=2.0)),
)
NOTHING = Scenario("nothing", "unchanged")


@dataclass(frozen=True)
class Case:
    """One day of a scenario: `start` is the day on which it begins, and `after` counts from there."""

    scenario: Scenario
    start: int
    after: int = 0

    @property
    def day(self) -> int:
        """Which day it is, see `market.date_of`."""
        return self.start + self.after

    @property
    def world(self) -> World:
        """What is different that day."""
        return self.scenario.after(self.after)

    @property
    def name(self) -> str:
        """One of its own."""
        return f"{self.scenario.name}, day {self.after} from {self.start}"


def quiet(days: int) -> list[Case]:
    """Undisturbed days, from the first one after the training table."""
    return [Case(NOTHING, HISTORY_DAYS + number) for number in range(days)]


def changed(starts: Sequence[int]) -> list[Case]:
    """All days of every scenario, which begins so many days after the training table."""
    return [
        Case(scenario, HISTORY_DAYS + start, after)
        for scenario in SCENARIOS
        for start in starts
        for after in range(scenario.days)
    ]

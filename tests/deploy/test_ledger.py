"""The ledger in a folder: written once, read by day."""

import datetime
from pathlib import Path

import pytest

from deploy.errors import CloudError
from deploy.release.ledger import Entry, Ledger

OLD, NEW = {"boxwood": {"boxwood-a": 100}}, {"boxwood": {"boxwood-b": 100}}


def at(day: int, hour: int) -> datetime.datetime:
    return datetime.datetime(2026, 11, day, hour, tzinfo=datetime.UTC)


def entry(name: str, when: datetime.datetime, what: str = "rollout") -> Entry:
    return Entry(name, when, "me", what, OLD, NEW, {"boxwood-b": {"models": "flights:1"}})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(str(tmp_path / "ledger"))


def test_what_is_written_stays_as_it_is(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.entries() == []
    (tmp_path / "ledger").mkdir()
    assert ledger.entries() == []
    first = entry("one", at(1, 12))
    ledger.append(first)
    ledger.append(entry("one", at(2, 12), "abort"))
    assert ledger.entries() == [first]


def test_a_day_has_what_served_on_it(ledger: Ledger) -> None:
    first, second, third = entry("one", at(1, 12)), entry("two", at(3, 6)), entry("three", at(3, 18))
    for one in (third, first, second):
        ledger.append(one)
    assert list(ledger.on(datetime.date(2026, 10, 31))) == []
    assert list(ledger.on(datetime.date(2026, 11, 1))) == [(at(1, 12), first)]
    assert list(ledger.on(datetime.date(2026, 11, 2))) == [(at(2, 0), first)]
    assert list(ledger.on(datetime.date(2026, 11, 3))) == [(at(3, 0), first), (at(3, 6), second), (at(3, 18), third)]
    assert list(ledger.on(datetime.date(2027, 1, 1))) == [(datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC), third)]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CloudError, match=r"The ledger at .*file/ledger cannot be written"):
        Ledger(str(tmp_path / "file/ledger")).append(entry("one", at(1, 0)))

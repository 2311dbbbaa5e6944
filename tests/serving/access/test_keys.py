"""The file of keys, and the command that writes it."""

import concurrent.futures
import json
import re
import stat
from pathlib import Path

import pytest

from serving.access import keys
from serving.access.watched import Watched
from tests.serving.access import made
from validation.errors import SettingsError


def test_a_key_is_shown_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "below/keys.json"
    key = made.new(path, "pricing")
    assert re.fullmatch(r"bxw_pricing_[A-Za-z0-9_-]{43}", key)
    assert key.rpartition("_")[2] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = keys.read(path)
    [entry] = document.keys
    assert document.matches(entry, key.encode())
    assert not document.matches(entry, key.encode()[:-1])
    assert keys.id_of(key.encode()) == "pricing"
    for other in (b"", b"bxw", b"bxw_pricing", b"bxw_pricing_", b"other_pricing_x", b"\xff"):
        assert keys.id_of(other) is None


def test_a_key_like_another_may_do_the_same_and_the_old_one_ends_later(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    options = ("--models", "flights", "churn", "--verbs", "predict", "--rows-per-second", "50", "--rows-per-day", "9")
    made.new(path, "pricing", *options)
    made.new(path, "pricing-2", "--like", "pricing", "--rows-per-day", "10", "--days", "30")
    made.run("revoke", "pricing", "--after", "7", "--file", str(path))
    old, new = (json.loads(line) for line in made.run("list", "--file", str(path)).splitlines())
    assert (old["models"], old["verbs"], old["rows_per_second"]) == (["flights", "churn"], ["predict"], 50)
    assert {name: new[name] for name in ("models", "verbs")} == {name: old[name] for name in ("models", "verbs")}
    assert (old["rows_per_day"], new["rows_per_day"]) == (9, 10)
    assert old["works"] is new["works"] is True
    assert old["expires"] < new["expires"]
    assert "hash" not in old
    made.run("revoke", "pricing", "--file", str(path))
    assert json.loads(made.run("list", "--file", str(path)).splitlines()[0])["works"] is False


def test_two_who_change_the_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with keys.changing(path) as document:
            keys.added(document, keys.Entry(id="first"))
        pool.submit(made.new, path, "second").result()
    made.new(path, "third")
    assert [entry.id for entry in keys.read(path).keys] == ["first", "second", "third"]
    assert {found.name for found in tmp_path.iterdir()} == {"keys.json", ".keys.json.lock"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("new", "Pricing Team"), "is no id of a key"),
        (("new", "there"), "There is a key 'there' already"),
        (("new", "other", "--like", "nobody"), "There is no key 'nobody'. There are: there"),
        (("revoke", "nobody"), "There is no key 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    path = tmp_path / "keys.json"
    made.new(path, "there")
    before = path.read_bytes()
    with pytest.raises(SystemExit, match=re.escape(says)):
        made.run(*arguments, "--file", str(path))
    assert path.read_bytes() == before


GOOD = {"format": 1, "salt": "ab" * 32, "keys": [{"id": "a", "hash": "0" * 64}]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "It is no file of keys"),
        ({"salt": "ab"}, "It is no file of keys"),
        ({"more": 1}, "It is no file of keys"),
        ({"keys": [{"id": "a", "hash": "0"}]}, "It is no file of keys"),
        ({"keys": [{"id": "a", "verbs": ["delete"]}]}, "It is no file of keys"),
        ({"keys": [{"id": "a"}, {"id": "a"}]}, "Two keys have the id 'a'"),
        ({"keys": [{"id": "a", "subject": "x"}, {"id": "b", "subject": "x"}]}, "Two keys have the subject 'x'"),
        ({"keys": [{"id": "a", "expires": "2027-01-31T00:00:00"}]}, "has no zone"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(GOOD))
    assert keys.read(path).keys[0].id == "a"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(SettingsError, match=f"{re.escape(str(path))}: .*{says}"):
        keys.read(path)


def test_a_change_is_seen_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    path, seen, seconds = tmp_path / "keys.json", list[list[str]](), [0.0]
    made.new(path, "first")
    watched = Watched(path, lambda document: seen.append([e.id for e in document.keys]), lambda: seconds[0])
    watched.start()
    watched.look()
    made.new(path, "second")
    watched.look()
    good = path.read_bytes()
    path.write_bytes(good[:-20])
    watched.look()
    path.unlink()
    watched.look()
    path.write_bytes(good)
    watched.look()
    assert seen == [["first"], ["first", "second"]]
    made.new(path, "third")
    watched.look()
    watched.stop()
    assert seen[2:] == [["first", "second", "third"]]


def test_a_mount_that_does_not_say_when_it_changes_is_read_all_the_same(tmp_path: Path) -> None:
    """As some mounts of secrets: time, size and place stay what they were."""
    import os

    path, seen, seconds = tmp_path / "keys.json", list[str](), [0.0]
    path.write_text(json.dumps(GOOD))
    os.utime(path, (1, 1))
    watched = Watched(path, lambda document: seen.append(document.keys[0].id), lambda: seconds[0])
    watched.start()
    watched.look()
    path.write_text(json.dumps(GOOD | {"keys": [{"id": "b", "hash": "0" * 64}]}))
    os.utime(path, (1, 1))
    watched.look()
    assert seen == ["a"]
    seconds[0] += 61
    watched.look()
    watched.stop()
    assert seen == ["a", "b"]

"""Who may log in to the page: the file of users, and the command that writes it."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ui import users
from ui.users import Users, UsersError

PASSWORD = "correct horse"  # noqa: S105 of nobody


def add(path: Path, name: str, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a user by the command, which reads the password where no terminal is."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    users.main([str(path), name])


def test_a_user_is_known_by_the_password_and_by_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "users"
    add(path, "ann@fares.example", PASSWORD, monkeypatch)
    add(path, "bob", "bob's password", monkeypatch)
    assert path.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in path.read_text()
    known = Users(path)
    assert known.verified("ann@fares.example", PASSWORD)
    for name, password in (("ann@fares.example", "bob's password"), ("bob", PASSWORD), ("bob", ""), ("", PASSWORD)):
        assert known.verified(name, password) is None


def test_who_is_removed_or_has_another_password_is_seen_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "users"
    for name in ("ann", "bob"):
        add(path, name, PASSWORD, monkeypatch)
    known = Users(path)
    before = dict(known.current)
    add(path, "ann", "another password", monkeypatch)
    assert known.current["ann"] != before["ann"]
    users.main([str(path), "bob", "--remove"])
    assert list(known.current) == ["ann"]
    path.write_text("nonsense")
    assert list(known.current) == ["ann"]  # as they were
    assert "line 1 is not NAME:HASH" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "password", "sentence"),
    [
        (["a:b"], PASSWORD, "is no name"),
        (["#ann"], PASSWORD, "is no name"),
        (["ann"], "short", "at least 10 letters"),
        (["ann", "--remove"], "", "has no user 'ann'"),
    ],
)
def test_what_cannot_be_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    password: str,
    sentence: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(password))
    with pytest.raises(SystemExit, match="2"):
        users.main([str(tmp_path / "users"), *arguments])
    assert sentence in capsys.readouterr().err


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "users"
    hash_ = users.hashed(PASSWORD)
    for content, sentence in (
        (b"# nobody yet\n", "has no users"),
        (b"ann:secret", "line 1 is not NAME:HASH"),
        (f"ann:{hash_}\nann:{hash_}".encode(), "line 2 is a second one for 'ann'"),
        (b"\xff\xfe", "it is no text"),
    ):
        path.write_bytes(content)
        with pytest.raises(UsersError, match=f"{re.escape(str(path))}.*{sentence}"):
            Users(path)
    with pytest.raises(UsersError, match="No such file"):
        Users(tmp_path / "nothing")


@given(st.text())
@example("ann:$scrypt$ln=19,r=99,p=99$AAAAAAAAAAAAAAAAAAAAAA$" + 43 * "A")  # gigabytes a guess
@example("ann:$scrypt$ln=15,r=8,p=3$ÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄ$" + 43 * "A")
def test_no_text_is_a_user_by_accident(text: str) -> None:
    with contextlib.suppress(UsersError):
        assert not users.parsed(text)

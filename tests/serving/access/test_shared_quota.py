"""Quotas that workers count together in a real Redis; skipped where it is not installed (`make heavy-tools`)."""

import contextlib
import shutil
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from serving.access.quota import Limits, LocalQuota
from serving.access.shared_quota import AWAY_SECONDS, INTERVAL_SECONDS, Counting, SharedQuota, Unheard
from serving.settings import Settings
from tests.project import Project, free_port
from tests.serving.access import made
from tests.serving.access.test_http import until
from tests.serving.rest.test_http import PREDICT
from validation.errors import Overloaded, QuotaExceeded, RequestTooLarge, SettingsError

PROGRAM = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server; `make heavy-tools` installs it")


@contextlib.contextmanager
def serving(port: int, folder: Path) -> Iterator[None]:
    command = [str(PROGRAM), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            with redis.Redis(port=port) as client:
                until(lambda: _answers(client))
            yield
        finally:
            process.terminate()


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with serving(port, tmp_path):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def worker(url: str, limits: Limits, without: str = "open") -> Iterator[SharedQuota]:
    """What one worker knows of a caller's quota."""
    counting = Counting(Settings(quota_redis=url, quota_without_redis=without))
    counting.start()
    try:
        yield counting.quota("a", limits, LocalQuota("a", limits, 2))
    finally:
        counting.stop()


def takes(quota: SharedQuota, rows: int) -> bool:
    try:
        quota.take(rows)
    except (QuotaExceeded, RequestTooLarge, Overloaded):
        return False
    return True


def until_(found: Callable[[], Any]) -> None:
    until(lambda: found() or None)


def test_what_one_worker_takes_the_others_miss(url: str) -> None:
    limits = Limits(per_day=100)
    with worker(url, limits) as one, worker(url, limits) as other:
        one.take(60)
        until_(lambda: b'"day";r=40' in other.headers()[1][1])  # though it has asked for nothing
        assert not takes(other, 41)
        other.take(40)
        until_(lambda: not takes(one, 1))
        with pytest.raises(QuotaExceeded, match="100 rows a day"):
            one.take(1)
        with pytest.raises(RequestTooLarge):
            one.take(101)
    with worker(url, limits) as again:  # a worker that begins anew finds the day as it was
        until_(lambda: b'"day";r=0' in again.headers()[1][1])
        assert not takes(again, 1)


def test_workers_together_take_no_more_than_the_rate_and_what_one_interval_owes(url: str) -> None:
    limits = Limits(per_second=200, burst=100)
    with worker(url, limits) as one, worker(url, limits) as other:
        started = time.monotonic()
        while time.monotonic() - started < 2:
            takes(one, 1)
            takes(other, 1)
        seconds = time.monotonic() - started
        taken = one.taken + other.taken
    most = limits.per_second * seconds + limits.capacity
    owed = limits.capacity + limits.per_second * (INTERVAL_SECONDS + AWAY_SECONDS)
    assert 0.5 * limits.per_second * seconds < taken <= most + owed
    with pytest.raises(RequestTooLarge):
        one.take(101)


def test_without_redis_each_worker_counts_by_itself_or_nobody_is_answered(tmp_path: Path) -> None:
    port = free_port()
    url, limits = f"redis://127.0.0.1:{port}/0", Limits(per_day=100)
    with worker(url, limits) as opened, worker(url, limits, "closed") as closed:
        with serving(port, tmp_path):
            until_(lambda: takes(opened, 1) and takes(closed, 1) and opened.seen.taken and closed.seen.taken)
        until_(lambda: not takes(closed, 1))
        with pytest.raises(Overloaded, match="Quotas cannot be counted"):
            closed.take(1)
        until_(lambda: not takes(opened, 51))  # of two workers each has half
        with serving(port, tmp_path):
            until_(lambda: takes(closed, 1))


def test_what_was_let_through_without_redis_is_told_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    limits = Limits(per_second=1, burst=100, per_day=1_000)
    with worker(f"redis://127.0.0.1:{port}/0", limits) as quota:
        with serving(port, tmp_path):
            until_(lambda: takes(quota, 1) and quota.seen.taken)
        until_(lambda: takes(quota, 1) and quota.unheard.rows >= 30)
        alone = quota.unheard.rows
        with serving(port, tmp_path):  # which has forgotten all
            until_(lambda: quota.heard == alone)
            assert quota.seen.used >= alone
            assert quota.seen.level <= limits.capacity - alone


@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50)), max_size=20), told=st.integers(0, 20))
def test_of_what_was_let_through_each_row_is_told_once_and_on_its_day(rows: list[tuple[int, int]], told: int) -> None:
    unheard, date, dates = Unheard(), 20_000, list[int]()
    before = 0
    for place, (days, number) in enumerate(rows):
        if place == told:
            before = unheard.rows
        date += days
        unheard = unheard.and_more(number, date)
        dates += [date] * number
    fresh = dates[before:]
    assert unheard.since(before, date) == (len(fresh), fresh.count(date) if rows else 0)
    assert unheard.since(before, date + 1) == (len(fresh), 0)


def test_a_long_absence_of_redis_does_not_keep_a_caller_out_for_as_long_again() -> None:
    limits = Limits(per_second=10, burst=100)
    quota = Counting(Settings(quota_redis="redis://127.0.0.1:1/0")).quota("a", limits, LocalQuota("a", limits))
    assert quota.spent(5, Unheard(36_000, 1), 1) == (110, 36_005)


@contextlib.contextmanager
def odd(port: int) -> Iterator[None]:
    """A server that answers every command of Redis with what no client of it expects."""

    class Answers(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                if line.startswith(b"*"):
                    self.wfile.write(b"+ODD\r\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Server(("127.0.0.1", port), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_no_answer_ends_the_counting(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with worker(f"redis://127.0.0.1:{port}/0", Limits(per_day=100)) as quota:
        with odd(port):
            quota.take(1)
            until_(lambda: "quotas cannot be counted in Redis" in caplog.text)
        with serving(port, tmp_path):
            until_(lambda: takes(quota, 1) and quota.seen.taken)


def test_a_change_of_limits_keeps_what_all_have_taken(url: str) -> None:
    with worker(url, Limits(per_day=100)) as one, worker(url, Limits(per_day=100)) as other:
        one.take(60)
        until_(lambda: b'"day";r=40' in other.headers()[1][1])
        assert other.changed(Limits(per_day=80)) is other
        assert b'"day";q=80' in other.headers()[0][1]
        assert not takes(other, 21)
        assert takes(other, 20)


def test_rows_without_a_limit_a_second_are_not_owed_when_there_is_one(url: str) -> None:
    with worker(url, Limits(per_day=1_000_000)) as quota:
        quota.take(500_000)
        until_(lambda: quota.seen.taken)
        quota.changed(Limits(per_second=1_000, per_day=1_000_000))
        until_(lambda: takes(quota, 10))
        assert quota.taken == 500_010


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="no URL of a Redis"):
        Counting(Settings(quota_redis="localhost:6379"))


@pytest.mark.slow
def test_instances_count_together(trained: Project, bento: str, tmp_path: Path, url: str, row: dict[str, Any]) -> None:
    path = tmp_path / "keys.json"
    headers = made.bearer(made.new(path, "one", "--rows-per-day", "10"))
    rows = {"instances": [row] * 5}
    settings = {"BOXWOOD_API_KEYS": str(path), "BOXWOOD_QUOTA_REDIS": url}
    with (
        trained.serve(bento, tmp_path / "first", **settings) as first,  # type: ignore[arg-type]
        trained.serve(bento, tmp_path / "second", **settings) as second,  # type: ignore[arg-type]
    ):
        assert first.post(PREDICT, json=rows, headers=headers).status_code == 200
        assert first.post(PREDICT, json=rows, headers=headers).status_code == 200
        until(lambda: second.post(PREDICT, json=rows, headers=headers).status_code == 429)
        assert first.post(PREDICT, json=rows, headers=headers).status_code == 429

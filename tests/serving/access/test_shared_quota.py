"""Quotas that workers count together in a real Redis; skipped where it is not installed (`make heavy-tools`)."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from serving.access.quota import Limits, LocalQuota
from serving.access.shared_quota import AWAY_SECONDS, INTERVAL_SECONDS, Counting, SharedQuota
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
    except (QuotaExceeded, Overloaded):
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

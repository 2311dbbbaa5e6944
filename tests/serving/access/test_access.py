"""Who asks, found by headers: what is remembered, and what ends it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.access import access, callers, keys
from serving.access.access import Access
from serving.access.caller import ANYONE, Asked, Caller, Usage
from serving.access.quota import Limits, LocalQuota
from serving.settings import Settings
from tests.serving.access import made
from validation.errors import Forbidden, QuotaExceeded, RequestTooLarge, SettingsError, Unauthenticated


class Knowing:
    """Access with the keys of a file, at a time that a test says."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, 0.0
        self.access = Access(Settings(api_keys=str(path)), lambda: self.now)
        self.read()

    def read(self) -> None:
        document = keys.read(self.path)
        self.access.use(document)
        self.now = max(entry.created.timestamp() for entry in document.keys if entry.created)

    def who(self, **headers: str) -> str:
        sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        caller = self.access.caller(sent)
        assert caller is not None
        return caller.id


def test_anybody_may_ask_where_no_keys_are_wanted() -> None:
    assert Access(Settings()).caller({}) is ANYONE
    assert not Access(Settings()).noting


def test_a_key_is_known_by_either_header(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    one, other = made.new(path, "one"), made.new(path, "other")
    knowing = Knowing(path)
    for _ in range(2):  # the second time it is remembered
        assert knowing.who(authorization=f"Bearer {one}") == knowing.who(x_api_key=one) == "one"
        assert knowing.who(authorization=f"bearer  {one}") == "one"
        # what a platform in front of the service wants to know stands in the other header
        assert knowing.who(authorization="Bearer of.the.platform", x_api_key=other) == "other"
    for headers, says in (
        ({}, "answers known callers only"),
        ({"authorization": ""}, "answers known callers only"),
        ({"authorization": "Basic eDp5"}, "no bearer token"),
        ({"authorization": one}, "no bearer token"),
        ({"authorization": f"Bearer {one}x"}, "none that this service knows"),
        ({"x_api_key": one.replace("_one_", "_other_")}, "none that this service knows"),
        ({"x_api_key": f"Bearer {one}"}, "none that this service knows"),
        ({"x_api_key": "bxw_nobody_x"}, "none that this service knows"),
    ):
        with pytest.raises(Unauthenticated, match=says):
            knowing.who(**headers)


@given(st.binary(max_size=80))
def test_nothing_but_a_key_is_one(sent: bytes) -> None:
    document = keys.Document(1, "00" * 16, [])
    key = keys.added(document, keys.Entry(id="a"))
    knows = Access(Settings(api_keys="x"))
    knows.use(document)
    for header in ({access.API_KEY: sent}, {access.AUTHORIZATION: b"Bearer " + sent}):
        if sent != key.encode():
            with pytest.raises(Unauthenticated):
                knows.caller(header)


def test_a_remembered_key_ends_when_it_expires_or_is_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    short, long = made.new(path, "short", "--days", "1"), made.new(path, "long")
    knowing = Knowing(path)
    assert knowing.who(x_api_key=short) == "short"
    knowing.now += 86_400 - 1
    assert knowing.who(x_api_key=short) == "short"
    knowing.now += 1
    for _ in range(2):
        with pytest.raises(Unauthenticated, match="'short' has expired"):
            knowing.who(x_api_key=short)
    assert knowing.who(x_api_key=long) == "long"
    made.run("revoke", "long", "--file", str(path))
    assert knowing.who(x_api_key=long) == "long"
    knowing.read()
    knowing.now += 5
    with pytest.raises(Unauthenticated, match="'long' has expired"):
        knowing.who(x_api_key=long)


def test_what_is_remembered_is_bounded() -> None:
    verified: dict[bytes, Caller] = {}
    for number in range(3 * callers.REMEMBERED):
        callers.remember(verified, b"%d" % number, ANYONE)
    assert 0 < len(verified) <= callers.REMEMBERED


def test_a_quota_and_what_was_counted_outlive_a_change_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = made.new(path, "one", "--rows-per-day", "10")
    knowing = Knowing(path)
    header = {access.API_KEY: key.encode()}

    def known() -> Caller:
        caller = knowing.access.caller(header)
        assert caller is not None
        return caller

    Asked(known()).take(7)
    usage = known().usage
    made.new(path, "two")
    knowing.read()
    assert known().usage is usage
    with pytest.raises(QuotaExceeded):
        Asked(known()).take(4)
    Asked(known()).take(3)


def test_a_change_of_limits_gives_back_nothing_that_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = made.new(path, "one", "--rows-per-second", "10", "--burst-rows", "1000", "--rows-per-day", "1000")
    knowing = Knowing(path)

    def asked() -> Asked:
        caller = knowing.access.caller({access.API_KEY: key.encode()})
        assert caller is not None
        return Asked(caller)

    def change(burst: int, per_day: int) -> None:
        document = keys.read(path)
        entry = document.entry("one")
        entry.burst_rows, entry.rows_per_day = burst, per_day
        knowing.access.use(document)

    asked().take(900)
    change(2_000, 2_000)
    change(1_500, 1_500)  # before anybody asked
    assert b'"day";r=600' in asked().caller.headers[1][1]
    with pytest.raises(QuotaExceeded, match="10 rows a second"):
        asked().take(500)
    asked().take(90)
    change(1_500, 500)
    with pytest.raises(QuotaExceeded, match="500 rows a day"):
        asked().take(1)


def test_metrics_tell_so_many_callers_apart_and_no_more() -> None:
    counters = callers.Counters(LocalQuota)
    labels = {counters.usage(str(number)).label for number in range(2 * callers.MOST_LABELS)}
    assert len(labels) == callers.MOST_LABELS + 1
    assert callers.OTHERS in labels


def test_a_caller_may_do_what_its_entry_says() -> None:
    caller = Caller("a", Usage("a"), models=["flights"], verbs=["predict"])
    caller.demand("flights", "predict")
    caller.demand("flights")
    with pytest.raises(Forbidden, match=r"'a' may not ask the model 'churn'\. It may ask: flights"):
        caller.demand("churn", "predict")
    with pytest.raises(Forbidden, match=r"'a' may not explain\. It may: predict"):
        caller.demand("flights", "explain")


def test_rows_of_a_second_and_of_a_day() -> None:
    now = [1_800_000_000.0]
    limits = Limits(per_second=10, burst=20, per_day=50)
    quota = LocalQuota("a", limits, clock=lambda: now[0], elapsed=lambda: now[0])
    with pytest.raises(RequestTooLarge, match=r"21 rows are more than .* at once, which is 20"):
        quota.take(21)
    with pytest.raises(RequestTooLarge, match=r"6 rows are more than .* at once, which is 5"):  # however long one waits
        LocalQuota("a", Limits(per_second=10, per_day=5)).take(6)
    quota.take(20)
    with pytest.raises(QuotaExceeded, match="may ask for 10 rows a second") as refused:
        quota.take(15)
    assert refused.value.headers == {"retry-after": "2"}
    assert refused.value.trailers["grpc-retry-pushback-ms"] == "2000"
    policy, left = (value.decode() for _, value in quota.headers())
    assert policy == '"second";q=20;w=2;qu="rows", "day";q=50;w=86400;qu="rows"'
    assert left == f'"second";r=0;t=2, "day";r=30;t={86_400 - int(now[0]) % 86_400}'
    now[0] += 2
    quota.take(20)
    now[0] += 2
    with pytest.raises(QuotaExceeded, match="50 rows a day") as refused:
        quota.take(11)
    assert int(refused.value.headers["retry-after"]) == 86_400 - int(now[0]) % 86_400
    quota.take(10)  # what was refused took nothing


def test_workers_share_a_quota() -> None:
    now = 1_800_000_000.0
    quota = LocalQuota("a", Limits(per_second=100, per_day=1_000), 4, clock=lambda: now, elapsed=lambda: now)
    quota.take(25)
    with pytest.raises(QuotaExceeded):
        quota.take(1)
    assert quota.headers()[1][1].startswith(b'"second";r=0;t=1, "day";r=225')


def test_settings_that_make_no_sense_together(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"keys\.json cannot be read: No such file"):
        access.demand(Settings(api_keys=str(tmp_path / "keys.json")))
    with pytest.raises(SettingsError, match="needs BOXWOOD_OIDC_AUDIENCE"):
        access.demand(Settings(oidc_issuer="https://issuer.example"))
    with pytest.raises(SettingsError, match="set BOXWOOD_OIDC_CALLERS to any"):
        access.demand(Settings(oidc_issuer="https://issuer.example", oidc_audience="boxwood"))
    access.demand(Settings(oidc_issuer="https://issuer.example", oidc_audience="boxwood", oidc_callers="any"))

"""Quotas that all workers and instances count together, in Redis.

No request waits for Redis. A worker tells it every few hundredths of a second what its callers took, and hears what is
left for all; until then it goes by what it heard last. So what is taken may exceed the quota by what the workers take
in one such interval, and it is owed: the count goes below nothing, and nobody gets more until it is paid back.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import redis

from serving.access import quota
from serving.access.buckets import Day
from serving.access.quota import Limits, LocalQuota
from serving.access.ratelimit import Header, RateLimit
from serving.repeated import Repeated
from serving.settings import CLOSED, Settings
from validation.errors import Overloaded, QuotaExceeded, SettingsError

INTERVAL_SECONDS = 0.05
AWAY_SECONDS = 1.0
"""Redis counts as away if it has said nothing for so long."""
_ACTIVE_SECONDS = 2.0
"""A caller who has asked for nothing for so long is idle."""
_IDLE_SECONDS = 5.0
"""How often Redis is asked about idle callers, who may be asking others."""
_TIMEOUT = 0.5
_PREFIX = "boxwood:quota:"
_DAY = 86_400
_SCRIPT = """
local rate, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local today = math.floor(now / 86400)
local known = redis.call('HMGET', KEYS[1], 'level', 'at', 'day', 'used')
local level, used = capacity, 0
if known[1] then
  level = math.min(capacity, known[1] + math.max(0, now - known[2]) * rate)
end
if tonumber(known[3]) == today then used = tonumber(known[4]) end
used = used + tonumber(ARGV[4])
if rate > 0 then level = level - tonumber(ARGV[3]) else level = capacity end
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.6f', now),
  'day', today, 'used', string.format('%.0f', used))
redis.call('EXPIRE', KEYS[1], 172800 + (rate > 0 and math.ceil((capacity - level) / rate) or 0))
return {string.format('%.6f', level), string.format('%.0f', used)}
"""
"""Takes what was spent of bucket and day, and returns what the bucket has, which may be below 0, and the day's use.

Without a rate nothing is owed: such a bucket never fills, and a caller who gets a rate later would wait for ever.
"""
_log = logging.getLogger("boxwood.access")


class Seen(NamedTuple):
    """What Redis said last of a caller.

    Attributes:
        level: of the bucket.
        used: of the day.
        taken: what this worker had taken in all, of which Redis knew.
        at: when, by a clock that does not jump.
        date: the day of UTC, in days since 1970.
    """

    level: float
    used: float
    taken: int
    at: float
    date: int


class Unheard(NamedTuple):
    """What a worker let through while Redis was away.

    Attributes:
        rows: in all since it began.
        date: of the last of them, in days since 1970.
        before: how many of them were let through before that date.
    """

    rows: int = 0
    date: int = 0
    before: int = 0

    def and_more(self, rows: int, date: int) -> "Unheard":
        """With more rows on a date."""
        return Unheard(self.rows + rows, date, self.before if date == self.date else self.rows)

    def since(self, told: int, date: int) -> tuple[int, int]:
        """How many rows there are beside those that were told, and how many of these are of a date."""
        return self.rows - told, self.rows - max(told, self.before) if date == self.date else 0


class SharedQuota:
    """Counts for all workers and instances; `take` belongs to the event loop, `told` to the thread of `Counting`."""

    def __init__(self, caller: str, limits: Limits, local: LocalQuota, counting: "Counting") -> None:
        """Count in Redis, or in `local` while it is away."""
        self.limits = limits
        self.caller = caller
        self.taken = 0
        """What this worker let through since it began."""
        self.unheard = Unheard()
        """What was let through without Redis; it is told when it is back."""
        self.heard = 0
        """How many of these rows Redis was told of; belongs to the thread of `Counting`."""
        self._local, self._counting = local, counting
        self._ratelimit = RateLimit(limits.per_second, limits.capacity, limits.per_day)
        now = counting.elapsed()
        self.seen = Seen(limits.capacity, 0.0, 0, now - _IDLE_SECONDS, int(counting.clock()) // _DAY)
        self.active = now - _ACTIVE_SECONDS
        """When something was taken last."""

    def take(self, rows: int) -> None:
        """Take rows; raises as `Quota.take` does, and Overloaded while Redis is away where that closes the service."""
        counting, limits = self._counting, self.limits
        now = self.active = counting.elapsed()
        if now - counting.heard >= AWAY_SECONDS:
            if counting.closed:
                raise Overloaded("Quotas cannot be counted at the moment. Send the request again.", 1)
            self._local.take(rows)
            self.unheard = self.unheard.and_more(rows, int(counting.clock()) // _DAY)
            return
        quota.demand_possible(rows, limits.most)
        if limits.per_second:
            level = self._level(now)
            if rows > level:
                raise quota.too_fast(self.caller, limits, (rows - level) / limits.per_second, self.headers())
        if limits.per_day and rows > self._left(counting.clock()):
            raise self._used_up()
        self.taken += rows

    def headers(self) -> list[Header]:
        """What is left for all workers, as far as this one knows; while Redis is away, for this one."""
        counting = self._counting
        now, clock = counting.elapsed(), counting.clock()
        if now - counting.heard >= AWAY_SECONDS:
            return self._local.headers()
        return self._ratelimit.headers(self._level(now), self._left(clock), clock)

    def changed(self, limits: Limits) -> "SharedQuota":
        """See `Quota`: Redis and this object know what was taken, whatever the limits are."""
        self._local = self._local.changed(limits)
        self._ratelimit = RateLimit(limits.per_second, limits.capacity, limits.per_day)
        self.limits = limits
        return self

    def spent(self, taken: int, unheard: Unheard, date: int) -> tuple[int, int]:
        """What Redis was not told of until these states: rows of the bucket, and rows of that day.

        What was let through while it was away is all of the day's, and of the bucket no more than what it holds and
        what comes in a second: a long absence leaves it empty, and does not keep its caller out for as long again.
        """
        rows, today = unheard.since(self.heard, date)
        fresh, limits = taken - self.seen.taken, self.limits
        return min(fresh + rows, max(fresh, limits.capacity + limits.per_second)), fresh + today

    def _level(self, now: float) -> float:
        seen, limits = self.seen, self.limits
        filled = min(float(limits.capacity), seen.level + (now - seen.at) * limits.per_second)
        return filled - (self.taken - seen.taken)

    def _left(self, now: float) -> float:
        seen = self.seen
        used = seen.used if int(now) // _DAY == seen.date else 0.0
        return self.limits.per_day - used - (self.taken - seen.taken)

    def _used_up(self) -> QuotaExceeded:
        return quota.used_up(self.caller, self.limits, Day.ends(self._counting.clock()), self.headers())


class Counting:
    """Tells Redis what callers took, in a thread.

    Attributes:
        heard: when Redis answered last, by a clock that does not jump.
        closed: whether callers with a quota are refused while it is away.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Count at the URL that the settings have; raises SettingsError for one that is none."""
        self.clock, self.elapsed = clock, elapsed
        self.closed = settings.quota_without_redis == CLOSED
        self.heard = elapsed()
        self._client = _client(settings.quota_redis)
        self._script: Any = self._client.register_script(_SCRIPT)
        self._quotas: dict[str, SharedQuota] = {}
        self._repeated = Repeated("quotas", self._tell, INTERVAL_SECONDS, "quotas cannot be counted in Redis", _log)

    def quota(self, caller: str, limits: Limits, local: LocalQuota) -> SharedQuota:
        """The quota of a caller."""
        made = self._quotas[caller] = SharedQuota(caller, limits, local, self)
        return made

    def start(self) -> None:
        """Begin."""
        self._repeated.start()

    def stop(self) -> None:
        """Tell the last of it, and end."""
        self._repeated.stop(2 * _TIMEOUT)

    def _tell(self) -> None:
        now = self.elapsed()
        told = [
            (made, made.taken, made.unheard)
            for made in tuple(self._quotas.values())
            if made.taken != made.seen.taken
            or made.unheard.rows != made.heard
            or now - made.active < _ACTIVE_SECONDS
            or now - made.seen.at >= _IDLE_SECONDS
        ]
        try:
            if told:
                self._count(told)
            elif now - self.heard >= AWAY_SECONDS / 2:
                self._client.ping()
            else:
                return
            self.heard = self.elapsed()
        except redis.RedisError as error:
            what = "refused" if self.closed else "counted by each worker"
            self._repeated.complain(f"Redis is away, and callers with a quota are {what}", error)
        except Exception:
            self._client.connection_pool.disconnect()  # whatever is there speaks another language: begin anew
            raise

    def _count(self, told: list[tuple[SharedQuota, int, Unheard]]) -> None:
        date = int(self.clock()) // _DAY
        with self._client.pipeline(transaction=False) as pipeline:
            for made, taken, unheard in told:
                limits = made.limits
                self._script(
                    keys=[_PREFIX + made.caller],
                    args=[limits.per_second, limits.capacity, *made.spent(taken, unheard, date)],
                    client=pipeline,
                )
            said = pipeline.execute()
        now = self.elapsed()
        for (made, taken, unheard), (level, used) in zip(told, said, strict=True):
            made.seen = Seen(float(level), float(used), taken, now, date)
            made.heard = unheard.rows


def _client(url: str) -> "redis.Redis":
    try:
        return redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
    except ValueError as error:
        # which is not shown: there may be a password in it
        raise SettingsError("BOXWOOD_QUOTA_REDIS is no URL of a Redis, like redis://host:6379/0.") from error

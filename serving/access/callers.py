"""All callers of a file of keys, found by what a request brings."""

import math
from collections.abc import Callable, Iterable

from serving.access.caller import Caller, Usage
from serving.access.keys import Document, Entry, id_of
from serving.access.quota import Limits, Quota
from validation.errors import Unauthenticated

REMEMBERED = 4_096
"""So many verified headers are remembered, each with its caller."""
MOST_LABELS = 1_000
"""The most callers that metrics tell apart; those after them are one."""
OTHERS = "others"
MakeQuota = Callable[[str, Limits], Quota]


class Counters:
    """What callers asked for, and what is left of their quotas; they stay when the file changes."""

    def __init__(self, make: MakeQuota) -> None:
        """Make a quota with `make` for each caller with limits."""
        self._make = make
        self._usages: dict[str, Usage] = {}
        self._quotas: dict[str, Quota] = {}

    def usage(self, label: str) -> Usage:
        """The usage of a label; that of all others once there are too many."""
        if label not in self._usages and len(self._usages) >= MOST_LABELS:
            label = OTHERS
        return self._usages.setdefault(label, Usage(label))

    def quota(self, caller: str, limits: Limits) -> Quota | None:
        """The quota of a caller, with what was taken of it when its limits were others; None without limits."""
        if not limits.per_second and not limits.per_day:
            return None
        known = self._quotas.get(caller)
        if known is None:
            known = self._make(caller, limits)
        elif known.limits != limits:
            known = known.changed(limits)
        self._quotas[caller] = known
        return known

    def usages(self) -> Iterable[Usage]:
        """All of them."""
        return tuple(self._usages.values())


class Callers:
    """The callers of one state of the file, and the headers that were verified by it; replaced as a whole."""

    def __init__(self, document: Document | None, counters: Counters) -> None:
        """The callers of a document; none without one."""
        self._document = document
        self._by_id: dict[str, tuple[Entry, Caller]] = {}
        self._by_subject: dict[str, Caller] = {}
        self.keys: dict[bytes, Caller] = {}
        """By what stood in X-API-Key and was verified; whoever reads it looks whether the caller has expired."""
        self.bearers: dict[bytes, Caller] = {}
        """The same by what stood in Authorization."""
        for entry in () if document is None else document.keys:
            caller = _caller(entry, counters)
            if entry.hash:
                self._by_id[entry.id] = entry, caller
            if entry.subject:
                self._by_subject[entry.subject] = caller

    def of_key(self, key: bytes, now: float) -> Caller:
        """The caller of a key; raises Unauthenticated."""
        found = self._by_id.get(id_of(key) or "")
        if found is None or self._document is None or not self._document.matches(found[0], key):
            raise Unauthenticated("The key is none that this service knows.", "invalid_token")
        caller = found[1]
        if now >= caller.expires:
            raise Unauthenticated(f"The key '{caller.id}' has expired.", "invalid_token")
        return caller

    def of_subject(self, names: Iterable[str]) -> Caller | None:
        """The caller that one of these names is listed for."""
        return next((self._by_subject[name] for name in names if name in self._by_subject), None)


def remember(verified: dict[bytes, Caller], header: bytes, caller: Caller) -> None:
    """Know the caller of a header again."""
    if len(verified) >= REMEMBERED:  # as good as any other rule, for what is verified again in microseconds
        verified.clear()
    verified[header] = caller


def _caller(entry: Entry, counters: Counters) -> Caller:
    limits = Limits(entry.rows_per_second, entry.burst_rows, entry.rows_per_day)
    return Caller(
        entry.id,
        counters.usage(entry.id),
        models=entry.models,
        verbs=entry.verbs,
        quota=counters.quota(entry.id, limits),
        expires=math.inf if entry.expires is None else entry.expires.timestamp(),
    )

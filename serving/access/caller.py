"""Who asks: one object for each caller, which knows what it may do."""

import math
from collections.abc import Collection
from typing import Any

from model.record import Role
from serving.access.backoff import Backoff, Kind
from serving.access.quota import Quota
from serving.access.ratelimit import Header
from validation.errors import Forbidden, QuotaExceeded, RequestError

ANY = "*"
"""Every model."""
_NO_HEADERS: list[Header] = []


class Usage:
    """What one caller asked for since the process began; only the event loop writes."""

    __slots__ = ("label", "outcomes", "rows")

    def __init__(self, label: str) -> None:
        """Count for a label of the metrics."""
        self.label = label
        self.rows = 0
        self.outcomes: dict[str, int] = {}


class Caller:
    """Who asks; the same object for each of its requests.

    Attributes:
        id: names it in metrics, in the audit and in the journal; empty where anybody may ask.
        usage: what it asked for.
        expires: seconds since 1970.
        quota: how many rows it may ask for; None without a limit.
        backoff: what it was refused lately.
    """

    __slots__ = ("_models", "_verbs", "backoff", "expires", "id", "quota", "usage")

    def __init__(
        self,
        id: str,  # noqa: A002 it is what it is called everywhere
        usage: Usage,
        *,
        models: Collection[str] = (ANY,),
        verbs: Collection[str] | None = None,
        quota: Quota | None = None,
        expires: float = math.inf,
    ) -> None:
        """Allow models and verbs, all verbs if None, within a quota until it expires."""
        self.id, self.usage, self.expires = id, usage, expires
        self._models = None if ANY in models else frozenset(models)
        self._verbs = None if verbs is None else frozenset(verbs)
        self.quota = quota
        self.backoff = Backoff()

    def demand(self, model: str, verb: str | None = None) -> None:
        """Raise Forbidden if it may not do that to a model, or, without a verb, not even read what the model is."""
        models = self._models
        if models is not None and model not in models:
            raise Forbidden(
                f"The caller '{self.id}' may not ask the model '{model[:100]}'. It may ask: "
                f"{', '.join(sorted(models)) or 'none'}."
            )
        if verb is not None and self._verbs is not None and verb not in self._verbs:
            raise Forbidden(
                f"The caller '{self.id}' may not {verb}. It may: {', '.join(sorted(self._verbs)) or 'nothing'}."
            )

    def may(self, model: str) -> bool:
        """Whether it may ask a model, and know of it."""
        return self._models is None or model in self._models

    @property
    def limited(self) -> bool:
        """Whether there are models that it may not ask."""
        return self._models is not None

    @property
    def headers(self) -> list[Header]:
        """What is left of its quota, as headers of an answer; none without a quota."""
        return _NO_HEADERS if self.quota is None else self.quota.headers()

    def until(self, expires: float) -> "Caller":
        """The same caller, known until then."""
        other = Caller(self.id, self.usage, expires=min(self.expires, expires))
        other._models, other._verbs, other.quota = self._models, self._verbs, self.quota
        other.backoff = self.backoff
        return other


ANYONE = Caller("", Usage(""))
"""Asks where nobody has to say who he is."""


class Asked:
    """One request, from its head to the end of its answer.

    Attributes:
        caller: who asks.
        refusal: why nobody is let in; None for who is.
        rows: how many there were; 0 of what is not read.
        sent: of a caller with a quota, what the body is and its size in bytes; None if that is not known.
        answer: what was answered, from which the audit takes the ids of predictions.
        request: the id that its caller gave it; None where there is none, or one that is not well formed.
        role: what the journal is to say of its answers, where its head says that; see `purpose.role_of`.
        ended: how it ended, see `telemetry.Measurement`; None until then.
    """

    __slots__ = ("answer", "caller", "ended", "refusal", "request", "role", "rows", "sent")

    def __init__(self, caller: Caller = ANYONE, refusal: RequestError | None = None) -> None:
        """A request of a caller, or one that is refused."""
        self.caller, self.refusal = caller, refusal
        self.rows = 0
        self.sent: tuple[Kind, int] | None = None
        self.answer: Any = None
        self.request: str | None = None
        self.role: Role = ""
        self.ended: Any = None

    @property
    def role_argument(self) -> dict[str, Role]:
        """The keyword argument `role` of `Verb.ask`, where the head says it: a challenger has one of its own."""
        return {"role": self.role} if self.role else {}

    def sends(self, kind: Kind, size: int) -> None:
        """Take notice of a body of so many bytes; raises QuotaExceeded if it is not to be read, see `Backoff`."""
        caller = self.caller
        if caller.quota is None:
            return
        self.sent = kind, size
        error = caller.backoff.again(kind, size)
        if error is not None:
            raise error

    def take(self, rows: int) -> None:
        """Take its rows of the caller's quota; raises as `Quota.take` does."""
        self.rows = rows
        quota = self.caller.quota
        if quota is None:
            return
        try:
            quota.take(rows)
        except QuotaExceeded as error:
            if self.sent is not None:
                self.caller.backoff.refused(*self.sent, error)
            raise


Ended = tuple[Asked, tuple[str, str, str, str], str, float, str | None]
"""A request that ended: what it went to (transport, verb, model, version), how it ended in a word, how many seconds it
took, and the id that its caller gave it."""

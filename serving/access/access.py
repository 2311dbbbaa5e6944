"""Access to a service: who asks, what is open to anybody, and what each request leaves behind."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serving.access import audit, keys
from serving.access.audit import Audit
from serving.access.caller import ANYONE, Caller, Ended
from serving.access.callers import Callers, Counters, remember
from serving.access.keys import Document
from serving.access.quota import Limits, LocalQuota, Quota
from serving.access.usage import Told
from serving.access.watched import Watched
from serving.settings import Settings
from validation.errors import SettingsError, Unauthenticated

if TYPE_CHECKING:
    from serving.access.shared_quota import Counting
    from serving.access.tokens import Tokens

AUTHORIZATION, API_KEY = b"authorization", b"x-api-key"
_WHO = (AUTHORIZATION, API_KEY, AUTHORIZATION.decode(), API_KEY.decode())
_BEARER = b"bearer"
_HOW = "Send a key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
_log = logging.getLogger("boxwood.access")


class Access:
    """Knows callers by their headers; made from the settings, and nobody is let in before `start`.

    All but `identified` is synchronous and takes a microsecond: nothing waits for a file, a disk or another server.

    Attributes:
        on: whether callers have to say who they are.
        noting: whether `ended` is to be called.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        """Be as the settings say; `clock` is seconds since 1970."""
        self._settings, self._clock = settings, clock
        self.on = settings.guarded
        self.noting = self.on or bool(settings.audit)
        self._counting: Counting | None = None
        self._counters = Counters(self._quota)
        self._callers = Callers(None, self._counters)
        self._tokens: Tokens | None = None
        self._watched: Watched | None = None
        self._audit: Audit | None = None
        self._told: Told | None = None

    def start(self) -> None:
        """Read the keys, and begin whatever runs beside requests; raises SettingsError."""
        settings = self._settings
        if settings.audit:
            self._audit = audit.begun(settings, self._clock)
        if not self.on:
            return
        if settings.quota_redis:
            from serving.access.shared_quota import Counting  # redis takes a tenth of a second to import

            self._counting = Counting(settings)
            self._counting.start()
        if settings.oidc_issuer:
            from serving.access.tokens import Tokens  # cryptography takes as long

            self._tokens = Tokens(settings, self._clock)
        if settings.api_keys:
            self._watched = Watched(Path(settings.api_keys), self.use)
            self._watched.start()
        self._told = Told(self._counters.usages)
        self._told.start()

    def stop(self) -> None:
        """Write what is left, and end; takes a few seconds at most."""
        for part in (self._watched, self._counting, self._told, self._audit):
            if part is not None:
                part.stop()

    def use(self, document: Document) -> None:
        """Know the keys of a document from now on, and no others; may be called in any thread."""
        self._callers = Callers(document, self._counters)

    def _quota(self, caller: str, limits: Limits) -> Quota:
        local = LocalQuota(caller, limits, self._settings.workers)
        return local if self._counting is None else self._counting.quota(caller, limits, local)

    @property
    def keys(self) -> object:
        """The keys that are good now; another object once they change."""
        return self._callers

    def still_knows(self, keys: object, caller: Caller) -> bool:
        """Whether a caller who was known while these keys were good still is."""
        return keys is self._callers and (caller.expires == math.inf or self._clock() < caller.expires)

    def caller(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Who sends these headers.

        Args:
            headers: by their names in lower case; gRPC's metadata is alike, see `of_metadata`.

        Returns:
            None for an identity token that was not seen before: `identified` verifies it.

        Raises:
            Unauthenticated: there is no key, or none that is good.
        """
        if not self.on:
            return ANYONE
        # the other header may be an identity token for a platform in front of the service
        callers, raw = self._callers, headers.get(API_KEY)
        known = callers.keys.get(raw) if raw else callers.bearers.get(headers.get(AUTHORIZATION, b""))
        if known is not None and self._clock() < known.expires:
            return known
        raw, key = _presented(headers)
        if self._tokens is not None and key.count(b".") == 2 and key.startswith(b"ey"):
            return None
        caller = callers.of_key(key, self._clock())
        remember(callers.keys if raw is key else callers.bearers, raw, caller)
        return caller

    async def identified(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Who sends these headers, verified where that takes longer; raises Unauthenticated and Overloaded."""
        caller = self.caller(headers)
        if caller is not None:
            return caller
        if self._tokens is None:
            raise AssertionError("only tokens take longer")
        raw, key = _presented(headers)
        claimed = await self._tokens.verified(key)
        callers = self._callers
        caller = callers.of_subject(claimed.names)
        if caller is None:
            if self._settings.oidc_callers != "any":
                raise Unauthenticated(f"'{claimed.names[0][:100]}' is not listed among the callers.", "invalid_token")
            caller = Caller(f"token:{claimed.names[0][:100]}", self._counters.usage("tokens"))
        if self._clock() >= caller.expires:
            raise Unauthenticated(f"The caller '{caller.id}' has expired.", "invalid_token")
        known = caller.until(claimed.expires)
        remember(callers.keys if raw is key else callers.bearers, raw, known)
        return known

    def ended(self, ended: Sequence[Ended]) -> None:
        """Count requests that ended, and leave their lines to the audit."""
        for asked, _, outcome, _, _ in ended:
            usage = asked.caller.usage
            usage.outcomes[outcome] = usage.outcomes.get(outcome, 0) + 1
            usage.rows += asked.rows
        if self._audit is not None:
            self._audit.add(ended)


def _presented(headers: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    """The header that says who asks, and the key or token in it; raises Unauthenticated."""
    raw = headers.get(API_KEY)
    if raw:
        return raw, raw
    raw = headers.get(AUTHORIZATION)
    if not raw:
        raise Unauthenticated(f"This service answers known callers only. {_HOW}.")
    scheme, _, credential = raw.partition(b" ")
    if scheme.lower() != _BEARER:
        raise Unauthenticated(f"The Authorization header has no bearer token. {_HOW}.")
    return raw, credential.strip()


def demand_one(names: Iterable[bytes | str]) -> None:
    """Raise Unauthenticated if a header that says who asks is there twice.

    Who stands before a service may look at the one of them and the service at the other (RFC 9110, 5.3).
    """
    seen = [name for name in names if name in _WHO]
    if len(set(seen)) < len(seen):
        raise Unauthenticated("There are several headers Authorization, or X-API-Key; send one.", "invalid_request")


def of_metadata(metadata: Mapping[str, str | bytes]) -> dict[bytes, bytes]:
    """What `Access.caller` reads of a call's metadata."""
    names = (AUTHORIZATION, API_KEY)
    values = ((name, metadata.get(name.decode())) for name in names)
    return {name: v if isinstance(v, bytes) else v.encode() for name, v in values if v is not None}


def demand(settings: Settings) -> None:
    """Look at the settings and at the file of keys before anything is served; raises SettingsError."""
    if settings.api_keys:
        keys.read(Path(settings.api_keys))
    if settings.oidc_issuer and not settings.oidc_audience:
        raise SettingsError("BOXWOOD_OIDC_ISSUER needs BOXWOOD_OIDC_AUDIENCE: what tokens for this service name.")
    if settings.oidc_issuer and not settings.api_keys and settings.oidc_callers == "listed":
        raise SettingsError(
            "BOXWOOD_OIDC_ISSUER lets in the subjects that the file BOXWOOD_API_KEYS lists, and there is none. Name "
            "it, or set BOXWOOD_OIDC_CALLERS to any where the issuer gives its tokens to your callers only."
        )

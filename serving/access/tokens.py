"""Identity tokens: JSON Web Tokens that an issuer of OpenID Connect signed for this service.

The sources are OpenID Connect Core 1.0 (3.1.3.7), OpenID Connect Discovery 1.0 (4) and RFC 8725 (best practices for
JWT). Signatures are PyJWT's matter. The issuer's keys are fetched when a token names one that is not known yet, in a
thread and seldom, so that tokens with made-up keys cost the issuer nothing.
"""

import asyncio
import json
import logging
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jwt

from serving.settings import Settings
from validation.errors import Overloaded, Unauthenticated

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a public key; a secret shared with the issuer is no use here."""
LEEWAY_SECONDS = 30
"""By how much the issuer's clock may differ."""
LONGEST_SECONDS = 300
"""How long a verified token is taken without another look: as long as a key that the issuer withdrew may live on."""
FETCH_SECONDS = 10.0
"""Keys are not fetched again sooner."""
STALE_SECONDS = 3_600.0
_TIMEOUT = 5.0
_MOST_BYTES = 2**20
_log = logging.getLogger("boxwood.access")


class Claimed(NamedTuple):
    """What a good token says.

    Attributes:
        names: the subject, and the email if the issuer has verified it.
        expires: until when to believe it, in seconds since 1970.
    """

    names: Sequence[str]
    expires: float


class Tokens:
    """Verifies the tokens of one issuer; to be used on one event loop."""

    def __init__(
        self, settings: Settings, clock: Callable[[], float], elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        """Take what the settings allow; `clock` is seconds since 1970, `elapsed` does not jump."""
        self._issuer, self._audience = settings.oidc_issuer, settings.oidc_audience
        self._url = settings.oidc_jwks
        self._clock, self._elapsed = clock, elapsed
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched = -STALE_SECONDS
        self._fetching: asyncio.Task[None] | None = None

    async def verified(self, token: bytes) -> Claimed:
        """What a token says; raises Unauthenticated, and Overloaded while the issuer's keys cannot be had."""
        try:
            named = jwt.get_unverified_header(token).get("kid", "")
            key = await self._key(named)
            required = ["exp", "aud", "iss", "sub"]
            claims = jwt.decode(
                token, key, ALGORITHMS, audience=self._audience, issuer=self._issuer,
                options={"require": required, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise _bad(str(error)) from error
        return self._in_time(claims)

    def _in_time(self, claims: Mapping[str, Any]) -> Claimed:
        now = self._clock()
        expires, begins = claims["exp"], claims.get("nbf", 0)
        if not all(isinstance(moment, int | float) for moment in (expires, begins)):
            raise _bad("its times are no numbers")
        if now >= expires + LEEWAY_SECONDS:
            raise _bad("it has expired")
        if now < begins - LEEWAY_SECONDS:
            raise _bad("it is not good yet")
        names = [str(claims["sub"])]
        if claims.get("email_verified") is True and isinstance(claims.get("email"), str):
            names.append(claims["email"])
        return Claimed(names, min(expires + LEEWAY_SECONDS, now + LONGEST_SECONDS))

    async def _key(self, named: str) -> jwt.PyJWK:
        """The issuer's key of that name, fetched if it is not known; raises Unauthenticated and Overloaded."""
        age = self._elapsed() - self._fetched
        if named not in self._keys and age >= FETCH_SECONDS:
            await self._fetch()
        elif age >= STALE_SECONDS:
            self._begin()
        key = self._keys.get(named)
        if key is not None:
            return key
        if not self._keys:
            raise Overloaded("The keys of the issuer of identity tokens cannot be had at the moment.", 10)
        raise _bad(f"its issuer has no key {named[:50]!r}")

    def _begin(self) -> "asyncio.Task[None]":
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._refreshed())
        return self._fetching

    async def _fetch(self) -> None:
        await asyncio.shield(self._begin())  # a caller who leaves must not stop what others wait for

    async def _refreshed(self) -> None:
        try:
            self._keys = await asyncio.to_thread(self._read)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            _log.error("the keys of %s cannot be had: %s", self._issuer, error)
        finally:
            self._fetched = self._elapsed()
            self._fetching = None

    def _read(self) -> Mapping[str, jwt.PyJWK]:
        """The issuer's keys by their names; whatever is no key for signatures is left out."""
        url = self._url or _json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")["jwks_uri"]
        keys = {}
        for described in _json(url)["keys"]:
            if described.get("use", "sig") == "sig" and described.get("kty") != "oct":
                try:
                    keys[described.get("kid", "")] = jwt.PyJWK(described)
                except jwt.PyJWTError:  # of a kind that this library does not know
                    continue
        return keys


def _json(url: str) -> Any:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url[:100]} is no URL of the web")
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 of the web, as was just seen
        return json.loads(answer.read(_MOST_BYTES))


def _bad(reason: str) -> Unauthenticated:
    return Unauthenticated(f"The identity token is not good: {reason}.", "invalid_token")

"""Identity tokens of an issuer that runs beside the test, with keys that it rotates."""

import asyncio
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from serving.access.access import AUTHORIZATION, Access
from serving.access.tokens import FETCH_SECONDS, LONGEST_SECONDS, Tokens
from serving.settings import Settings
from tests.project import Project
from tests.serving.access import made
from tests.serving.rest.test_http import PREDICT
from validation.errors import Overloaded, Unauthenticated

AUDIENCE = "https://fares.example"
NOW = 1_900_000_000.0


class Issuer:
    """An issuer of tokens: a server of its keys, and who signs with them."""

    def __init__(self, url: str) -> None:
        self.url, self.away, self.asked = url, False, 0
        self._keys: dict[str, Any] = {}

    def rotate(self, named: str, key: Any) -> None:
        """Sign with another key from now on, the only one that is told."""
        self._keys = {named: key}

    def documents(self, path: str) -> Any:
        self.asked += 1
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        described = []
        for named, key in self._keys.items():
            algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            described.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": named, "use": "sig"})
        return {"keys": [{"kty": "oct", "k": "eA", "kid": "secret"}, {"kty": "new", "kid": "strange"}, *described]}

    def token(self, now: float, **claims: Any) -> str:
        [(named, key)] = self._keys.items()
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        good = {"iss": self.url, "aud": AUDIENCE, "sub": "batch", "exp": now + 3_600, "iat": now}
        sent = {name: value for name, value in (good | claims).items() if value is not None}
        return jwt.encode(sent, key, algorithm, headers={"kid": named})


@contextlib.contextmanager
def issuing() -> Iterator[Issuer]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(running.documents(self.path)).encode()
            self.send_response(503 if running.away else 200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Issuer(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield running
        server.shutdown()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        running.rotate("first", rsa.generate_private_key(65_537, 2_048))
        yield running


class Verifying:
    """Tokens of an issuer at times that a test says."""

    def __init__(self, issuer: Issuer, **settings: str) -> None:
        self.now, self.elapsed = NOW, 0.0
        chosen = Settings(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, **settings)  # type: ignore[arg-type]
        self.tokens = Tokens(chosen, lambda: self.now, lambda: self.elapsed)

    def names(self, token: str) -> list[str]:
        return list(asyncio.run(self.tokens.verified(token.encode())).names)


def test_a_good_token_says_who_asks(issuer: Issuer) -> None:
    verifying = Verifying(issuer)
    assert verifying.names(issuer.token(NOW)) == ["batch"]
    verified = {"email": "a@b.example", "email_verified": True}
    assert verifying.names(issuer.token(NOW, **verified)) == ["batch", "a@b.example"]
    assert verifying.names(issuer.token(NOW, **verified | {"email_verified": False})) == ["batch"]
    assert verifying.names(issuer.token(NOW, aud=["other", AUDIENCE])) == ["batch"]
    assert issuer.asked == 2


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"aud": "other"}, "Audience"),
        ({"aud": None}, "aud"),
        ({"iss": "https://other.example"}, "issuer"),
        ({"sub": None}, "sub"),
        ({"exp": None}, "exp"),
        ({"exp": NOW - 31}, "it has expired"),
        ({"nbf": NOW + 31}, "it is not good yet"),
    ],
)
def test_a_token_for_others_or_of_another_time_is_refused(issuer: Issuer, claims: dict[str, Any], says: str) -> None:
    with pytest.raises(Unauthenticated, match=says):
        Verifying(issuer).names(issuer.token(NOW, **claims))


def test_a_clock_may_be_off_by_half_a_minute(issuer: Issuer) -> None:
    assert Verifying(issuer).names(issuer.token(NOW, exp=NOW - 29, nbf=NOW + 29)) == ["batch"]


def test_only_the_issuers_own_signatures_count(issuer: Issuer) -> None:
    verifying, good = Verifying(issuer), issuer.token(NOW)
    other = rsa.generate_private_key(65_537, 2_048)
    claims = jwt.decode(good, options={"verify_signature": False})
    for forged in (
        jwt.encode(claims, other, "RS256", headers={"kid": "first"}),
        jwt.encode(claims, "x" * 64, "HS256", headers={"kid": "first"}),
        jwt.encode(claims, "", "none", headers={"kid": "first"}),
        jwt.encode(claims, "x" * 64, "HS512", headers={"kid": "secret"}),
        jwt.encode(claims, other, "RS256", headers={"kid": "nobody"}),
        f"{good[:-8]}AAAAAAAA", "ey.ey.ey", "ey..", "eyJhbGciOiJSUzI1NiJ9.e30.AA",
    ):  # fmt: skip
        with pytest.raises(Unauthenticated, match="The identity token is not good"):
            verifying.names(forged)


def test_keys_are_rotated_and_made_up_ones_cost_the_issuer_nothing(issuer: Issuer) -> None:
    verifying, old = Verifying(issuer), issuer.token(NOW)
    assert verifying.names(old) == ["batch"]
    issuer.rotate("second", ec.generate_private_key(ec.SECP256R1()))
    for _ in range(20):  # not sooner than it may be asked again
        with pytest.raises(Unauthenticated, match="no key 'second'"):
            verifying.names(issuer.token(NOW))
    assert issuer.asked == 2
    verifying.elapsed += FETCH_SECONDS
    assert verifying.names(issuer.token(NOW)) == ["batch"]
    with pytest.raises(Unauthenticated, match="no key 'first'"):
        verifying.names(old)
    assert issuer.asked == 4


def test_an_issuer_that_is_away_is_no_callers_fault(issuer: Issuer) -> None:
    verifying = Verifying(issuer)
    issuer.away = True
    with pytest.raises(Overloaded, match="keys of the issuer"):
        verifying.names(issuer.token(NOW))
    issuer.away = False
    verifying.elapsed += FETCH_SECONDS
    assert verifying.names(issuer.token(NOW)) == ["batch"]
    issuer.away = True
    verifying.elapsed += 10_000
    assert verifying.names(issuer.token(NOW)) == ["batch"]


def test_many_who_come_at_once_ask_the_issuer_once(issuer: Issuer) -> None:
    verifying, token = Verifying(issuer), issuer.token(NOW).encode()

    async def come() -> None:
        said = await asyncio.gather(*(verifying.tokens.verified(token) for _ in range(30)))
        assert {one.names[0] for one in said} == {"batch"}

    asyncio.run(come())
    assert issuer.asked == 2


def test_a_listed_subject_has_the_rights_of_its_entry_until_its_token_ends(issuer: Issuer, tmp_path: Path) -> None:
    path, now = tmp_path / "keys.json", [NOW]
    made.run("new", "nightly", "--subject", "batch", "--verbs", "predict", "--file", str(path))
    key = made.new(path, "person")
    settings = Settings(api_keys=str(path), oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    access = Access(settings, lambda: now[0])
    access.start()

    async def who(credential: str) -> str:
        return (await access.identified({AUTHORIZATION: f"Bearer {credential}".encode()})).id

    async def come() -> None:
        token = issuer.token(NOW)
        header = {AUTHORIZATION: f"Bearer {token}".encode()}
        assert access.caller(header) is None
        assert await who(token) == "nightly"
        known = access.caller(header)
        assert known is not None
        assert known.id == "nightly"
        assert await who(key) == "person"
        now[0] += LONGEST_SECONDS
        assert access.caller(header) is None
        assert await who(token) == "nightly"
        now[0] += 3_600
        with pytest.raises(Unauthenticated, match="it has expired"):
            await who(token)
        with pytest.raises(Unauthenticated, match="'other' is not listed"):
            await who(issuer.token(now[0], sub="other"))

    try:
        asyncio.run(come())
    finally:
        access.stop()


@pytest.mark.slow
def test_a_server_takes_tokens_over_http(trained: Project, bento: str, issuer: Issuer, row: dict[str, Any]) -> None:
    import time

    with trained.start_alone(
        bento, BOXWOOD_OIDC_ISSUER=issuer.url, BOXWOOD_OIDC_AUDIENCE=AUDIENCE, BOXWOOD_OIDC_CALLERS="any"
    ) as (client, _):
        rows = {"instances": [row]}
        assert client.post(PREDICT, json=rows).status_code == 401
        token = made.bearer(issuer.token(time.time()))
        for _ in range(2):
            assert client.post(PREDICT, json=rows, headers=token).status_code == 200
        over = made.bearer(issuer.token(time.time(), exp=time.time() - 60))
        assert client.post(PREDICT, json=rows, headers=over).status_code == 401

"""Who is let in to the page: visitors with a password, or those whom a proxy before the page has let in.

It stands before everything that the page answers, whatever Gradio has there. Gradio's own login leaves some of its
routes open, never ends a session, and sends its cookie to the page from other sites too.
"""

import asyncio
import logging
import secrets
import time
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from ui.attempts import Attempts
from ui.users import Users

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

SESSION_SECONDS = 43_200.0
"""A visitor logs in again after twelve hours."""
_MOST_SESSIONS = 10_000
_MOST_WAITING = 8
"""Passwords are tried one at a time, since each takes 32 MiB; so many may wait for their turn."""
_MOST_BYTES, _FORM_SECONDS = 4_096, 10
_OPEN = "/livez"
_ROOT, _LOGOUT = "/", "/logout"
_WRONG = "There is no such name with this password."
_OFTEN = "Too many passwords were tried from where you are. Try again in {} seconds."
_BUSY = "Too many try to log in at the moment. Try again in a few seconds."
_USER = "boxwood.user"
_NO_STORE = {"cache-control": "no-store"}
_log = logging.getLogger("boxwood.page")


def user_of(scope: "Scope") -> str:
    """Who has logged in and sent a request that the application got; empty where nobody has to log in."""
    return scope.get(_USER) or ""


class _Session(NamedTuple):
    user: str
    hash: str
    """Of the password: with another one the session ends, and so it does with its user."""
    expires: float


class Sessions:
    """Who is logged in; they are gone when the process ends."""

    def __init__(self, users: Users, clock: Callable[[], float] = time.monotonic) -> None:
        """Know the sessions of users; `clock` is seconds that do not jump."""
        self._users, self._clock = users, clock
        self._by_token: dict[str, _Session] = {}

    def begun(self, user: str, hash_: str) -> str:
        """The token of a new session of a user with the hash of its password."""
        if len(self._by_token) >= _MOST_SESSIONS:
            self._by_token.pop(next(iter(self._by_token)))  # the oldest
        token = secrets.token_urlsafe(32)
        self._by_token[token] = _Session(user, hash_, self._clock() + SESSION_SECONDS)
        return token

    def user(self, token: str) -> str | None:
        """Whose session it is, None if there is none."""
        session = self._by_token.get(token)
        if session is None:
            return None
        if self._clock() < session.expires and self._users.current.get(session.user) == session.hash:
            return session.user
        self.end(token)
        return None

    def end(self, token: str) -> None:
        """End a session, if there is one."""
        self._by_token.pop(token, None)


class _Gate:
    """Passes on what is let in."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or scope["path"] == _OPEN:
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope)
        user = self.user(sent)
        scope = {**scope, _USER: user}
        if scope["type"] == "websocket":
            if user is not None and not _from_elsewhere(sent):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        reply = await self.reply(scope, sent, receive)
        await (self._app if reply is None else reply)(scope, receive, send)

    def user(self, sent: Headers) -> str | None:
        """Who sent these headers; None for somebody who is not let in."""
        raise NotImplementedError

    async def reply(self, scope: "Scope", sent: Headers, receive: "Receive") -> Response | None:
        """The answer in the application's place; None for who is let in."""
        raise NotImplementedError


class Login(_Gate):
    """Lets in who has logged in with a name and a password, and shows everybody else where to do that."""

    def __init__(self, app: "ASGIApp", users: Users, form: Callable[[str], str]) -> None:
        """Let users in; `form` makes a page of the reason why somebody was not."""
        super().__init__(app)
        self._users, self._form = users, form
        self._sessions = Sessions(users)
        self._cookie = f"boxwood-page-{secrets.token_hex(4)}"  # two pages on one host have one each
        self._attempts = Attempts()
        self._trying = asyncio.Semaphore(1)
        self._waiting = 0

    def user(self, sent: Headers) -> str | None:
        """Whose session it is."""
        return self._sessions.user(self._token(sent))

    async def reply(self, scope: "Scope", sent: Headers, receive: "Receive") -> Response | None:
        """The form, or what came of it."""
        method, path = scope["method"], scope["path"]
        if method not in ("GET", "HEAD") and _from_elsewhere(sent):
            return _refused(403, "Another site sent this, and may not.")
        if method == "POST" and path == _LOGOUT:
            self._sessions.end(self._token(sent))
            return self._redirected(scope, sent, "", 0)
        if method == "POST" and path == _ROOT:
            return await self._entered(scope, sent, receive)
        if self.user(sent) is not None:
            return None
        if method in ("GET", "HEAD") and path == _ROOT:
            return HTMLResponse(self._form(""), headers=_NO_STORE)
        return _refused(401, "Log in first: open the page in a browser.")

    async def _entered(self, scope: "Scope", sent: Headers, receive: "Receive") -> Response:
        try:
            name, password = await _entries(receive)
        except (ValueError, TimeoutError):
            return _refused(400, "This is not what the form of this page sends.")
        # uvicorn has it from X-Forwarded-For where the connection comes from a proxy that FORWARDED_ALLOW_IPS names
        address = str((scope.get("client") or ["an unknown address"])[0])
        if self._waiting >= _MOST_WAITING:
            return self._later(_BUSY, 5)
        if wait := self._attempts.begun(address):
            return self._later(_OFTEN.format(wait), wait)
        self._waiting += 1
        try:
            async with self._trying:
                hash_ = await asyncio.to_thread(self._users.verified, name, password)
        finally:
            self._waiting -= 1
        if hash_ is not None:
            self._attempts.succeeded(address)
            return self._redirected(scope, sent, self._sessions.begun(name, hash_), int(SESSION_SECONDS))
        # what is no user's name may be a password in the wrong field
        who = repr(name) if name in self._users.current else "a name that is not there"
        _log.warning("login refused: %s, from %s", who, address)
        return HTMLResponse(self._form(_WRONG), 403, headers=_NO_STORE)

    def _later(self, reason: str, seconds: int) -> Response:
        return HTMLResponse(self._form(reason), 429, headers={**_NO_STORE, "retry-after": str(seconds)})

    def _redirected(self, scope: "Scope", sent: Headers, token: str, seconds: int) -> Response:
        query = scope["query_string"].decode("latin-1")
        # relative, since only the browser knows below which path a proxy shows the page
        reply = RedirectResponse(f".?{query}" if query else ".", 303, headers=_NO_STORE)
        secure = scope["scheme"] == "https" or sent.get("x-forwarded-proto", "").startswith("https")
        reply.set_cookie(self._cookie, token, seconds, path="/", secure=secure, httponly=True, samesite="lax")
        return reply

    def _token(self, sent: Headers) -> str:
        for part in ";".join(sent.getlist("cookie")).split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie:
                return value
        return ""


class Proxied(_Gate):
    """Lets in whom a proxy before the page names in a header.

    The page cannot know who set the header: nobody may reach the page but through that proxy.
    """

    def __init__(self, app: "ASGIApp", header: str) -> None:
        """Trust the header of that name."""
        super().__init__(app)
        self._header = header

    def user(self, sent: Headers) -> str | None:
        """Whom the proxy names: once, since a second header would be a visitor's own."""
        named = sent.getlist(self._header)
        return (named[0].strip() or None) if len(named) == 1 else None

    async def reply(self, scope: "Scope", sent: Headers, receive: "Receive") -> Response | None:
        """Why somebody is not let in."""
        if scope["method"] not in ("GET", "HEAD") and _from_elsewhere(sent):
            return _refused(403, "Another site sent this, and may not.")
        if self.user(sent) is not None:
            return None
        return _refused(401, "This page is for visitors whom its proxy has let in. Open it at the proxy's address.")


def _from_elsewhere(sent: Headers) -> bool:
    """Whether the script or form of another site sent a request, as browsers say themselves (Fetch Metadata)."""
    return sent.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _refused(status: int, sentence: str) -> Response:
    return JSONResponse({"detail": sentence}, status, headers=_NO_STORE)


async def _entries(receive: "Receive") -> tuple[str, str]:
    """The name and the password of a form; raises ValueError for what is none, and TimeoutError."""
    body, more = b"", True
    async with asyncio.timeout(_FORM_SECONDS):
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
            if len(body) > _MOST_BYTES:
                raise ValueError("too large")
    entered = urllib.parse.parse_qs(body.decode("latin-1"), max_num_fields=10, errors="replace")
    name, password = (entered.get(field, [""])[0] for field in ("name", "password"))
    return name.strip(), password

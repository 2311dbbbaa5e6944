"""What a browser is told beside every HTML page: to load nothing from elsewhere, and to run the page's scripts only.

Gradio writes scripts into its page. Each of them is allowed by its hash (Content Security Policy Level 3, 6.7.2.2), so
that a value that gets into the page as a tag is not run. Its HTML component evaluates templates, which takes
'unsafe-eval': without it the page shows nothing.
"""

import base64
import hashlib
import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the module has to be there before anything else is imported: see ui.__main__
    from starlette.types import ASGIApp, Receive, Scope, Send

NOWHERE = "'none'"
"""Which other pages may show the page in a frame, by default."""
_SCRIPT = re.compile(rb"<script\b[^>]*>(.*?)</script>", re.DOTALL)
_FRAME_ANCESTORS = re.compile(r"'none'|('self'|https?://[\w.*:\[\]-]+)( ('self'|https?://[\w.*:\[\]-]+))*")
_FILES = "/gradio_api/"
"""Below it are the files of visitors, and of programs below /api; what is HTML among them gets no rights at all."""
_SANDBOX = f"default-src 'none'; sandbox; frame-ancestors {NOWHERE}"
_APP = b"<gradio-app"
"""Where Gradio's page begins; what is no page of its own has none."""
_PARTS = (
    "default-src 'none'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'self'",
)
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
}


def is_frame_ancestors(text: str) -> bool:
    """Whether a text is a list of origins, with blanks between them, as the policy's `frame-ancestors` takes it."""
    return bool(_FRAME_ANCESTORS.fullmatch(text))


class Guarded:
    """Adds the headers to the HTML of an application."""

    def __init__(self, app: "ASGIApp", frame_ancestors: str = NOWHERE, *, forms: bool = False, first: str = "") -> None:
        """Allow the page in frames of `frame_ancestors`, see `is_frame_ancestors`, and forms that send to it.

        `first` is HTML that a browser shows until Gradio's scripts have come, which takes seconds on a slow line.
        """
        self._app = app
        self.first = first.encode()
        self._frame_ancestors = frame_ancestors
        self._forms = "'self'" if forms else "'none'"

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Answer(self, scope, send).pass_on)

    def told(self, path: str, body: bytes) -> dict[str, str]:
        """The headers of the HTML at a path."""
        if _FILES in path:
            return {**_ALWAYS, "content-security-policy": _SANDBOX}
        hashes = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _SCRIPT.findall(body))
        scripts = " ".join(["script-src 'self' 'unsafe-eval'", *(f"'sha256-{digest}'" for digest in hashes)])
        ours = (f"form-action {self._forms}", f"frame-ancestors {self._frame_ancestors}")
        policy = "; ".join((*_PARTS, scripts, *ours))
        frames = {"x-frame-options": "DENY"} if self._frame_ancestors == NOWHERE else {}
        return {**_ALWAYS, **frames, "content-security-policy": policy}


class _Answer:
    """One answer on its way: a page is held back until it is whole, since its headers come before it."""

    def __init__(self, guarded: Guarded, scope: "Scope", send: "Send") -> None:
        self._guarded, self._send = guarded, send
        self._path: str = scope["path"]
        self._start: MutableMapping[str, Any] | None = None
        self._parts: list[bytes] = []

    async def pass_on(self, message: MutableMapping[str, Any]) -> None:
        """Take one message of the application."""
        if message["type"] == "http.response.start":
            if dict(message["headers"]).get(b"content-type", b"").startswith(b"text/html"):
                self._start = message
                return
        elif self._start is not None and message["type"] == "http.response.body":
            if _FILES not in self._path:
                self._parts.append(message.get("body", b""))
                if message.get("more_body"):
                    return
                whole = b"".join(self._parts)
                message = {**message, "body": whole.replace(_APP, self._guarded.first + _APP, 1)}
            await self._begin(message["body"])
        await self._send(message)

    async def _begin(self, body: bytes) -> None:
        start, self._start = self._start, None
        if start is not None:
            told = self._guarded.told(self._path, body)
            if self._parts and body:  # which may be longer now; the answer to HEAD has none
                told["content-length"] = str(len(body))
            kept = [(name, value) for name, value in start["headers"] if name.decode() not in told]
            added = [(name.encode(), value.encode()) for name, value in told.items()]
            await self._send({**start, "headers": [*kept, *added]})

"""What a browser is told beside every HTML page: to load nothing else, to guess nothing, to show it in no frame.

The names and values are those of OWASP's Secure Headers Project.
"""

from starlette.types import Scope

from serving.settings import Settings

DOCS = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
)
"""The description of the interface: Swagger UI, whose scripts lie beside it, and which asks the service itself."""
HOME = b"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'"
"""The page at /: its script asks the service itself."""
CARD = b"default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""A card has its images and styles in itself, and no script, even if a value in it injects markup."""
_ALWAYS = b"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_UNUSED = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _UNUSED).encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def headers(scope: Scope, policy: bytes, settings: Settings) -> list[tuple[bytes, bytes]]:
    """The headers of a page, the answer to `scope`, with its Content-Security-Policy."""
    found = [(b"content-security-policy", policy + _ALWAYS), *_HEADERS]
    if scope.get("scheme") == "https" and settings.hsts_seconds:
        found.append((b"strict-transport-security", b"max-age=%d" % settings.hsts_seconds))
    return found

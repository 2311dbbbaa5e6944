"""Content negotiation (RFC 9110, 12.5): media types and encodings by their weights."""

import functools
from collections.abc import Mapping

from starlette.types import Scope

from serving.rest.request import headers


def weights(accepted: str) -> Mapping[str, float]:
    """The choices of an Accept or Accept-Encoding header, in lower case, and their weights; 0 for an invalid weight."""
    return dict(map(_weighed, accepted.lower().split(",")))


def prefers_html(scope: Scope, over: str) -> bool:
    """Whether the caller ranks text/html above the media type `over`, as browsers do."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
    ranges = weights(accepted.decode("latin-1"))
    return _weight(ranges, "text/html") > _weight(ranges, over)


def _weight(ranges: Mapping[str, float], media: str) -> float:
    return ranges.get(media, ranges.get(f"{media.partition('/')[0]}/*", ranges.get("*/*", 0.0)))


def encoding_for(scope: Scope, *, pays: bool) -> str | None:
    """The encoding of the answer, "gzip" or "deflate"; None for none.

    Args:
        scope: the request.
        pays: whether the answer is so long that compressing it pays; a shorter one is compressed only if the caller
            refuses an uncompressed one.
    """
    accepted = headers(scope).get(b"accept-encoding")
    if accepted is None:
        return None
    encoding, refuses_identity = _encodings(accepted)
    return encoding if pays or refuses_identity else None


@functools.lru_cache(256)  # there are few distinct values, sent with each request
def _encodings(accepted: bytes) -> tuple[str | None, bool]:
    """The best encoding that is accepted, and whether an uncompressed answer is refused."""
    quality = weights(accepted.decode("latin-1"))
    anything = quality.get("*", 0.0)
    gzip = max(quality.get("gzip", anything), quality.get("x-gzip", 0.0))
    deflate, identity = quality.get("deflate", anything), quality.get("identity", quality.get("*"))
    best = max(gzip, deflate)
    encoding = None if best <= 0 or best < quality.get("identity", 0.0) else "gzip" if gzip >= deflate else "deflate"
    return encoding, identity == 0


def _weighed(choice: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in choice.split(";"))
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return name, float(weight)
    except ValueError:
        return name, 0.0

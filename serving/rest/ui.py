"""GET /ui: a redirect to the demo page, which is a process of its own."""

import re
from http import HTTPStatus

from starlette.types import Receive, Scope

from serving import port, problem_details
from serving.rest.asgi import READS, Endpoint
from serving.rest.exchange import Reply, problem
from serving.rest.request import header
from validation.errors import UnreadableRequest
from validation.values import quoted

PATH = "/ui"
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[\w.-]{1,255})(?::[0-9]{0,5})?")
"""A host name or address as in URLs, with or without a port."""


class ToPage(Endpoint):
    """GET: a redirect to the page, if there is one."""

    methods = READS

    def __init__(self, place: str) -> None:
        """Redirect to `place`, as `Settings.ui` has it."""
        self._place = place

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The redirect; raises UnreadableRequest if it depends on a Host header that is invalid."""
        if not self._place:
            detail = "This service knows of no page. `make ui` starts one, and BOXWOOD_UI says where it is."
            return problem(problem_details.plain(HTTPStatus.NOT_FOUND, detail))
        place = f"http://{_host(scope)}{self._place}" if self._place.startswith(":") else self._place
        text = f"The page is at {place}\n".encode()
        return Reply(text, "text/plain", HTTPStatus.TEMPORARY_REDIRECT, [(b"location", place.encode())])


def _host(scope: Scope) -> str:
    """The host of the request without its port; an IPv6 address is in brackets."""
    host = header(scope, b"host")
    if host is None:  # HTTP/1.0 need not say
        host = port.address(*scope["server"]).encode()
    match = _HOST.fullmatch(host)
    if match is None:
        raise UnreadableRequest(f"The Host header is {quoted(host.decode('latin-1'))}, which is no host.")
    return match[1].decode()

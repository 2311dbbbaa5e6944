"""Connections that take no upgrade: a request that offers one is read as if it offered none (RFC 9110, 7.8).

Java's client and `curl --http2` offer HTTP/2 with every request. The parser believes that what follows such a head is
another protocol. uvicorn would drop it with the body in it, and read a body that comes later as the next request, which
a proxy before it has not seen.
"""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_INVALID = "Invalid HTTP request received."


class Upgradeless(HttpToolsProtocol):
    """A connection whose parser gets the head of an offer again, without the offer."""

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._parsed(data)
        except httptools.HttpParserError:
            self.logger.warning(_INVALID)
            self.send_400_response(_INVALID)

    def _parsed(self, data: bytes) -> bytes:
        """Parse, and return what is still to be parsed; raises HttpParserError."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_offer() + data[upgrade.args[0] :]
        return b""

    @property
    def offered(self) -> bool:
        """Whether the parser is at a head that offers an upgrade, of which nothing is to be made yet."""
        return bool(self.parser.should_upgrade())

    def _without_offer(self) -> bytes:
        """The head that has come, without its offer, for another parser; raises HttpParserError for CONNECT."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":  # is no offer
            raise httptools.HttpParserError("this is no proxy")
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        return b"\r\n".join([*lines, b"", b""])

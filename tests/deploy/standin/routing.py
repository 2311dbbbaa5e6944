"""The traffic of one service: its URL, those of its tags, and who is behind each."""

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from tests.deploy.standin.balance import Backend, Ended
from tests.deploy.standin.proxies import GrpcProxy, HttpProxy, Proxy

T = TypeVar("T")


class Loop:
    """The thread whose event loop carries all traffic."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="traffic", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something there and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """End it; nothing may be running there."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Routes:
    """A service's ports. They stay what they are, whoever is behind them."""

    def __init__(self, loop: Loop, grpc: bool, ended: Ended) -> None:
        self._loop = loop
        self._ended = ended
        self._kind: type[Proxy] = GrpcProxy if grpc else HttpProxy
        self._proxies: dict[str, Proxy] = {}
        self._backends: set[Backend] = set()

    def uri(self, tag: str = "") -> str:
        """The address of the service, or of a tag; it listens from now on."""
        if tag not in self._proxies:
            proxy = self._kind(self._ended)
            self._loop.run(proxy.start())
            self._proxies[tag] = proxy
        return self._proxies[tag].uri

    def switch(self, shares: Mapping[Backend, int], tags: Mapping[str, Backend]) -> set[Backend]:
        """Set every split; returns those that nothing leads to any more."""
        for tag in ("", *tags):
            self.uri(tag)
        reachable = {*shares, *tags.values()}
        for backend in reachable:
            backend.percent = shares.get(backend, 0)
        for tag, proxy in self._proxies.items():
            only = {tags[tag]: 100} if tag in tags else {}
            proxy.balance.split(only if tag else shares)
        left, self._backends = self._backends - reachable, reachable
        return left

    def ended(self, tag: str = "") -> dict[str, Counter[str]]:
        """How requests ended, by revision."""
        return self._proxies[tag].balance.ended() if tag in self._proxies else {}

    def close(self) -> None:
        """Listen no more, and cut off what is in flight."""
        while self._proxies:
            _, proxy = self._proxies.popitem()
            self._loop.run(proxy.stop())

"""What the benchmark reads from its clients, and the client of its own."""

import asyncio

import pytest

from benchmarks import load, open_loop
from benchmarks.load import Load
from tests.project import free_port

H2LOAD = """\
starting benchmark...
finished in 2.00s, 9890.00 req/s, 1.19MB/s
requests: 4 total, 6 started, 4 done, 3 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 3 2xx, 0 3xx, 0 4xx, 1 5xx
                     min         max         mean         sd        +/- sd
time for request:      870us     12.00ms      3.23ms      1.28ms    70.04%
"""
LOG = "".join(
    f"179528858235{place}\t{status}\t{took}\n"
    for place, status, took in ((1, 200, 1000), (2, 200, 2000), (3, 503, 500), (4, 200, 40000))
)


def test_wrk_tells_what_our_script_prints() -> None:
    line = '{"count": 500, "microseconds": 2000000, "p99": 1500, "p999": 2500, "worst": 9000, "bad": 3}'
    printed = f"Running 2s test @ http://127.0.0.1:8123/\n  500 requests in 2.00s\n{line}\n"
    assert load.read_wrk(printed) == Load(250.0, 1.5, 2.5, 9.0, 3, 500)


def test_h2load_tells_rates_in_words_and_latencies_in_its_log() -> None:
    found = load.read_h2load(H2LOAD, LOG)
    assert (found.requests, found.good, found.worst, found.bad, found.done) == (9890.0, 7417.5, 40.0, 1, 4)
    assert 2.0 < found.p99 < found.p999 < 40.0


def test_other_words_end_the_run() -> None:
    with pytest.raises(SystemExit, match="unable to connect"):
        load.read_wrk("unable to connect to 127.0.0.1:8123 Connection refused\n")
    with pytest.raises(SystemExit, match="something else"):
        load.read_h2load(H2LOAD.replace("finished", "ended"), LOG)
    with pytest.raises(SystemExit, match="something else"):
        load.read_h2load(H2LOAD, "")


ASKED, PROBE = open_loop.post("/asked", "{}"), open_loop.post("/probe", "{}")


class Holding(asyncio.Protocol):
    """Answers nothing until it was ASKED a hundred times, and the first PROBE with 503."""

    def __init__(self, held: list[asyncio.Transport], probes: list[int]) -> None:
        self.held, self.probes = held, probes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data == PROBE:
            self.probes.append(200 if self.probes else 503)
            self.transport.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % self.probes[-1])
            return
        assert data == ASKED
        self.held.append(self.transport)
        for transport in self.held if len(self.held) == 100 else []:
            transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def test_an_open_loop_does_not_wait_for_answers() -> None:
    """A closed loop would never send the last request."""
    port, probes = free_port(), list[int]()

    async def main() -> open_loop.Offered:
        held: list[asyncio.Transport] = []
        loop = asyncio.get_running_loop()
        async with await loop.create_server(lambda: Holding(held, probes), "127.0.0.1", port):
            return await open_loop.overload(ASKED, 1_000, 0.1, [PROBE], port)

    offered = asyncio.run(main())
    assert [answer.status for answer in offered.answers] == [200] * 100
    assert probes == [503, 200]  # a probe is asked again until its answer is good
    assert len(offered.recovery) == 1

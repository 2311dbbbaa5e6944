"""What writes lines off the request path goes on whatever goes wrong, and says so."""

import logging
import threading
from collections.abc import Callable, Sequence

import pytest

from serving.writer import Writer

LOG = logging.getLogger("boxwood.test")


class Failing:
    """A sink whose next calls fail as it is told."""

    def __init__(self, **errors: Exception) -> None:
        self.errors = errors
        self.blocks: list[bytes] = []
        self.closed = False

    def _fail(self, name: str) -> None:
        if name in self.errors:
            raise self.errors.pop(name)

    def write(self, blocks: Sequence[bytes]) -> int:
        self._fail("write")
        self.blocks += blocks
        return sum(block.count(b"\n") + 1 for block in blocks)

    def clean(self) -> None:
        self._fail("clean")

    def close(self) -> None:
        self.closed = True
        self._fail("close")


def written(sink: Failing, flush: Callable[[Writer, int], None]) -> list[bytes]:
    """What a sink has once three flushes are over, of which `flush` is told the number."""
    turns, over = iter(range(1_000)), threading.Event()

    def collected() -> None:
        turn = next(turns)
        try:
            flush(writer, turn)
        finally:
            if turn == 2:
                over.set()

    writer = Writer("test", sink, collected, 0.001, "lines of a test", LOG)
    writer.start()
    assert over.wait(60)
    writer.stop()
    assert sink.closed
    return sink.blocks


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("closed"), RuntimeError("odd")])
def test_no_error_of_a_sink_ends_it(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    sink = Failing(write=error, clean=ValueError("no folder"), close=OSError("gone"))
    counts: dict[int, int] = {}

    def flush(writer: Writer, turn: int) -> None:
        if turn < 3:
            counts[turn] = writer.write([b"%d" % turn, b"a\nb"])

    assert written(sink, flush) == [b"1", b"a\nb", b"2", b"a\nb"]
    assert counts == {0: 0, 1: 3, 2: 3}
    assert [record.getMessage() for record in caplog.records if record.exc_info][:2] == [
        "old test files cannot be removed", "lines of a test are lost",
    ]  # fmt: skip


def test_no_error_of_what_collects_them_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    def flush(writer: Writer, turn: int) -> None:
        if turn < 2:
            raise ZeroDivisionError
        writer.write([b"%d" % turn])

    assert written(Failing(), flush)[0] == b"2"
    said = [record for record in caplog.records if record.getMessage() == "lines of a test are lost"]
    assert len(said) == 1  # and not again within a minute

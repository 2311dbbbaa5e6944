"""The journal's files: rotated, retained, whole lines whatever happens to the disk, the folder and the clock."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.journal_files import Files
from tests.project import ROOT

DAY = 86_400.0
NOON = 20_000 * DAY + DAY / 2


@dataclass
class Clocks:
    """What a machine believes the time is, and how long it has run."""

    time: float = NOON
    elapsed: float = 0.0

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        self.elapsed += seconds


def files(folder: Path, clocks: Clocks, **limits: int) -> Files:
    sizes = {"file_megabytes": 1, "megabytes": 1_000, "days": 7, **limits}
    return Files(folder, clock=lambda: clocks.time, elapsed=lambda: clocks.elapsed, **sizes)


LINE = b"x" * 99_999
"""With its end a tenth of a megabyte."""


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    sink = files(tmp_path, Clocks())
    for _ in range(5):
        assert sink.write([LINE] * 5) == 5
    sink.close()
    assert sorted(path.stat().st_size for path in tmp_path.iterdir()) == [500_000, 1_000_000, 1_000_000]


def test_each_day_has_files_of_its_own(tmp_path: Path) -> None:
    clocks = Clocks()
    sink = files(tmp_path, clocks)
    sink.write([LINE])
    clocks.run(DAY)
    sink.write([LINE])
    sink.close()
    assert sorted(path.name[:8] for path in tmp_path.iterdir()) == ["20241004", "20241005"]


def older(folder: Path) -> None:
    """Leave three files: two of a week ago, one of yesterday."""
    for name, days in (("a", 8), ("b", 8), ("c", 1)):
        (folder / f"{name}.jsonl").write_bytes(LINE * 5)
        os.utime(folder / f"{name}.jsonl", (NOON - days * DAY - ord(name),) * 2)


def left(folder: Path) -> set[str]:
    """Which of them are still there."""
    return {path.stem for path in folder.iterdir() if len(path.stem) == 1}


@pytest.mark.parametrize(
    ("limits", "stay"), [({}, "c"), ({"days": 9}, "abc"), ({"days": 9, "megabytes": 1}, "c")], ids=str
)
def test_what_is_too_old_or_too_much_is_removed_though_nothing_is_written(
    tmp_path: Path, limits: dict[str, int], stay: str
) -> None:
    clocks = Clocks()
    sink = files(tmp_path, clocks, **limits)
    older(tmp_path)
    clocks.run(61)
    sink.clean()
    sink.close()
    assert left(tmp_path) == set(stay)


def test_a_file_whose_worker_writes_no_more_is_removed_too(tmp_path: Path) -> None:
    clocks = Clocks()
    sink = files(tmp_path, clocks)
    sink.write([LINE])
    [file] = tmp_path.iterdir()
    os.utime(file, (NOON, NOON))
    for _ in range(8):
        assert file.exists()
        clocks.run(DAY)
        sink.clean()
    assert not file.exists()
    assert sink.write([LINE]) == 1
    sink.close()


@pytest.mark.parametrize("jump", [-400 * DAY, 400 * DAY])
def test_a_clock_that_jumps_removes_nothing_until_it_was_steady_for_an_hour(tmp_path: Path, jump: float) -> None:
    clocks = Clocks()
    sink = files(tmp_path, clocks, days=9)
    older(tmp_path)
    clocks.time += jump
    for _ in range(60):
        sink.clean()
        clocks.run(61)
    assert left(tmp_path) == {"a", "b", "c"}
    clocks.time -= jump  # it was wrong, and is set
    for _ in range(60):
        sink.clean()
        clocks.run(61)
    assert left(tmp_path) == {"a", "b", "c"}
    clocks.run(9 * DAY)
    sink.clean()
    assert left(tmp_path) == set()
    sink.close()


def test_a_file_of_the_future_is_kept_no_longer_than_others(tmp_path: Path) -> None:
    clocks = Clocks()
    sink = files(tmp_path, clocks)
    older(tmp_path)
    os.utime(tmp_path / "a.jsonl", (NOON + 400 * DAY,) * 2)
    for days, stay in ((0.1, {"a", "c"}), (6.9, {"a"}), (0.2, set())):
        clocks.run(days * DAY)
        sink.clean()
        assert left(tmp_path) == stay
    sink.close()


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6), st.integers(1, 240_000)), max_size=40),
    st.integers(1, 64),
)
def test_all_files_together_never_hold_more_than_they_may(writes: list[tuple[int, int, int]], size: int) -> None:
    clocks = Clocks()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        limits = {"file_megabytes": size, "megabytes": 2, "workers": 3}
        sinks = [files(folder, clocks, **limits) for _ in range(3)]
        for worker, lines, length in writes:
            assert sinks[worker].write([b"x" * length] * lines) == lines
            assert sum(path.stat().st_size for path in folder.iterdir()) <= 2_000_000
        for sink in sinks:
            sink.close()


def test_a_file_that_cannot_be_removed_keeps_no_other_and_costs_no_line(tmp_path: Path) -> None:
    clocks = Clocks()
    sink = files(tmp_path, clocks)
    older(tmp_path)
    (tmp_path / "b.jsonl").unlink()
    (tmp_path / "b.jsonl").mkdir()
    os.utime(tmp_path / "b.jsonl", (NOON - 8 * DAY,) * 2)
    clocks.run(61)
    with pytest.raises(OSError, match="directory"):
        sink.clean()
    assert left(tmp_path) == {"b", "c"}
    assert sink.write([LINE] * 15) == 15
    sink.close()


def test_a_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    sink = files(folder, Clocks())
    sink.write([LINE])
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    sink.write([LINE])
    sink.close()
    assert [path.stat().st_size for path in folder.iterdir()] == [100_000]


def test_a_file_without_a_line_is_not_left(tmp_path: Path) -> None:
    files(tmp_path, Clocks()).close()
    assert list(tmp_path.iterdir()) == []


def scripted(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with a journal's files in `folder`."""
    before = "from pathlib import Path\nfrom serving.journal_files import Files\n" + (
        f"sink = Files(Path({str(folder)!r}), file_megabytes=100, megabytes=1000, days=7)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", before + textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_disk_that_is_full_costs_the_lines_that_did_not_fit(tmp_path: Path) -> None:
    done = scripted(
        tmp_path,
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        lines = lambda *numbers: [b'{"number": %d}' % number + b" " * 1000 for number in numbers]
        print(sink.write(lines(1)))
        limit(3500)
        print(sink.write(lines(2, 3, 4)))
        limit(0)
        try:
            sink.write(lines(5))
        except OSError as error:
            print("failed")
        limit(resource.RLIM_INFINITY)
        print(sink.write(lines(6)))
        """,
    )
    assert done.stdout.split() == ["1", "2", "failed", "1"], done.stderr
    lines = [line for path in tmp_path.iterdir() for line in path.read_bytes().splitlines(keepends=True)]
    assert all(line.endswith(b"\n") for line in lines)
    assert sorted(json.loads(line)["number"] for line in lines) == [1, 2, 3, 6]


def test_what_was_written_outlives_a_kill(tmp_path: Path) -> None:
    done = scripted(
        tmp_path,
        """
        import os, signal
        for number in range(100):
            sink.write([b'{"number": %d}' % number])
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert done.returncode == -signal.SIGKILL
    [file] = tmp_path.iterdir()
    assert [json.loads(line)["number"] for line in file.read_bytes().splitlines()] == list(range(100))


WRITER = """
import json, sys
from serving.journal_files import StandardOutput
sink = StandardOutput()
for turn in range(20):
    sink.write([json.dumps({"who": sys.argv[1], "text": "x" * (900 if turn % 5 else 9_000)}).encode()] * 100)
"""


def test_workers_that_share_an_output_tear_no_line_of_each_other() -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-c", WRITER]
    started = [subprocess.Popen([*command, who], cwd=ROOT, stdout=writing) for who in "abcd"]
    os.close(writing)
    with os.fdopen(reading, "rb") as output:
        lines = output.read().splitlines()
    assert [process.wait() for process in started] == [0] * 4
    assert len(lines) == 4 * 20 * 100
    assert {json.loads(line)["who"] for line in lines} == set("abcd")

"""The journal's files: rotated, retained, whole lines whatever happens to the disk, the folder and the clock."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from serving.journal_files import Files
from tests.project import ROOT

DAY = 86_400.0
NOON = 20_000 * DAY + DAY / 2


def files(folder: Path, now: list[float], **limits: int) -> Files:
    sizes = {"file_megabytes": 1, "megabytes": 1_000, "days": 7, **limits}
    return Files(folder, clock=lambda: now[0], **sizes)


LINE = b"x" * 99_999 + b"\n"


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    sink = files(tmp_path, [NOON])
    for _ in range(25):
        sink.write(LINE)
    sink.close()
    assert sorted(path.stat().st_size for path in tmp_path.iterdir()) == [500_000, 1_000_000, 1_000_000]


def test_each_day_has_files_of_its_own(tmp_path: Path) -> None:
    now = [NOON]
    sink = files(tmp_path, now)
    sink.write(LINE)
    now[0] += DAY
    sink.write(LINE)
    sink.close()
    assert sorted(path.name[:8] for path in tmp_path.iterdir()) == ["20241004", "20241005"]


def cleaned(folder: Path, now: list[float], jump: float = 0, **limits: int) -> set[str]:
    """Which of three older files are left once a new line was written: two of a week ago, one of yesterday."""
    for name, days in (("a", 8), ("b", 8), ("c", 1)):
        (folder / f"{name}.jsonl").write_bytes(LINE * 5)
        os.utime(folder / f"{name}.jsonl", (now[0] - days * DAY - ord(name),) * 2)
    sink = files(folder, now, **limits)
    now[0] += jump
    sink.write(LINE)
    sink.close()
    return {path.stem for path in folder.iterdir() if len(path.stem) == 1}


def test_what_is_too_old_or_too_much_is_removed(tmp_path: Path) -> None:
    assert cleaned(tmp_path, [NOON]) == {"c"}
    assert cleaned(tmp_path, [NOON], days=9, megabytes=1) == {"c"}
    assert cleaned(tmp_path, [NOON], days=9) == {"a", "b", "c"}


@pytest.mark.parametrize("jump", [-400 * DAY, 400 * DAY])
def test_a_clock_that_jumps_removes_nothing(tmp_path: Path, jump: float) -> None:
    assert cleaned(tmp_path, [NOON], jump=jump, days=9) == {"a", "b", "c"}


def test_a_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    sink = files(folder, [NOON])
    sink.write(LINE)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    sink.write(LINE)
    sink.close()
    assert [path.stat().st_size for path in folder.iterdir()] == [100_000]


def test_a_file_without_a_line_is_not_left(tmp_path: Path) -> None:
    files(tmp_path, [NOON]).close()
    assert list(tmp_path.iterdir()) == []


def scripted(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with a journal's files in `folder`."""
    before = "from pathlib import Path\nfrom serving.journal_files import Files\n" + (
        f"sink = Files(Path({str(folder)!r}), file_megabytes=100, megabytes=1000, days=7)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", before + textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_disk_that_is_full_costs_the_line_that_did_not_fit(tmp_path: Path) -> None:
    done = scripted(
        tmp_path,
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        line = b'{"number": %d}' + b" " * 1000 + b"\\n"
        sink.write(line % 1)
        limit(1500)
        for number in (2, 3):
            try:
                sink.write(line % number * 2)
            except OSError as error:
                print("failed")
        limit(resource.RLIM_INFINITY)
        sink.write(line % 4)
        """,
    )
    assert done.stdout.split() == ["failed", "failed"], done.stderr
    lines = [line for path in tmp_path.iterdir() for line in path.read_bytes().splitlines(keepends=True)]
    whole = [json.loads(line)["number"] for line in lines if line.endswith(b"\n")]
    assert {1, 4} <= set(whole)
    assert set(whole) <= {1, 2, 3, 4}


def test_what_was_written_outlives_a_kill(tmp_path: Path) -> None:
    done = scripted(
        tmp_path,
        """
        import os, signal
        for number in range(100):
            sink.write(b'{"number": %d}\\n' % number)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert done.returncode == -signal.SIGKILL
    [file] = tmp_path.iterdir()
    assert [json.loads(line)["number"] for line in file.read_bytes().splitlines()] == list(range(100))

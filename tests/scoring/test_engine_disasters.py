"""A full disk, an unreadable part, a wrong table and a lost driver on Spark and Dask: a sentence, and it goes on."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests import disks
from tests.scoring import made
from tests.scoring.runs import score, verify
from tests.scoring.test_engines import PYTHON, dask, in_the_middle, scoring

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="Spark and Dask are not here: make engines"),
]
Run = Callable[[Path, Path], tuple[int, str]]
ROWS = "700"


@pytest.fixture(params=["spark", "dask"])
def run(request: pytest.FixtureRequest, bundle: Path, tmp_path: Path) -> Iterator[Run]:
    """What scores a table on an engine of two workers: the exit code, and what was said."""
    with contextlib.ExitStack() as stack:
        where: tuple[str, ...] = ("--master", "local[2]")
        if request.param == "dask":
            (tmp_path / "dask").mkdir()
            address, started = stack.enter_context(dask(tmp_path / "dask"))
            for _ in range(2):
                started("worker", address, "--nthreads", "1", "--no-nanny")
            where = ("--scheduler", address)

        def ended(source: Path, out: Path) -> tuple[int, str]:
            process = scoring(source, out, bundle, request.param, *where, rows=ROWS)
            told = process.communicate()[1]
            assert "Traceback" not in told, told
            return process.returncode, told

        yield ended


def test_a_full_disk(run: Run, rows: list[made.Row], tmp_path: Path) -> None:
    made.write(tmp_path / "in.parquet", rows)
    out = tmp_path / "disk/out"
    with disks.small(tmp_path / "disk", "64k") as there:
        if not there:
            pytest.skip("this user mounts no file systems")
        code, told = run(tmp_path / "in.parquet", out)
        assert code == 1
        assert f"score: There is no room at {out}: No space left on device." in told
        assert told.count("the same command goes on") == 1
        disks.enlarge(tmp_path / "disk", "8m")
        assert run(tmp_path / "in.parquet", out)[0] == 0
        assert verify(out) == 0


def test_a_part_that_cannot_be_read(run: Run, rows: list[made.Row], tmp_path: Path) -> None:
    path, out = tmp_path / "in.parquet", tmp_path / "out"
    made.write(path, rows, row_group_size=int(ROWS), compression="gzip")
    mend = made.spoil(path, 2)
    code, told = run(path, out)
    assert code == 1
    assert f"score: 1 of 5 partitions cannot be read. The first: {path} cannot be read: " in told
    assert sorted(part.name for part in out.glob("*.parquet")) == [
        f"part-0000{place}.parquet" for place in (0, 1, 3, 4)
    ]
    mend()
    assert run(path, out)[0] == 0
    assert verify(out) == 0


def test_a_table_of_something_else(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    code, told = run(tmp_path / "in.csv", tmp_path / "out")
    assert code == 1
    assert "has no column 'origin', which the model needs; it has 'a', 'b'" in told
    assert not list((tmp_path / "out").rglob("*"))


def test_a_lost_driver_of_spark(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.parquet", rows * 10)
    out, options = tmp_path / "out", ("--rows", "100", "--workers", "1")
    process = scoring(tmp_path / "in.parquet", out, bundle, "spark", "--master", "local[2]", rows=options[1])
    in_the_middle(process, out)
    [java] = [child for child in psutil.Process(process.pid).children(recursive=True) if child.name() == "java"]
    java.kill()
    told = process.communicate()[1]
    assert process.returncode == 1
    # threads of pyspark may print of their own, before it and after
    assert any(line.startswith("score: Spark at local[2] gave up: ") for line in told.splitlines())
    assert score(tmp_path / "in.parquet", out, bundle, *options) == 0
    assert verify(out) == 0

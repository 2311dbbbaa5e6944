"""A table in partitions is gated as in one piece: what is counted adds up to the same, whatever way it is cut."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import base
from problems.base import Problem
from tests.training.conftest import GONE, PRICE, problem, table
from training.data import clean, gates, ingest
from training.data.split import SplitParams
from training.distributed import gate, order
from training.distributed.listing import Listing, listed, opened
from training.workspace import Workspace
from validation.errors import TableError

ROWS, SEED = 500, 5


def raw_table() -> pd.DataFrame:
    """A table with bad rows here and there."""
    drawn = table(ROWS)
    drawn.loc[drawn.index % 50 == 3, "area"] = np.inf
    drawn.loc[drawn.index % 50 == 7, "city"] = None
    drawn.loc[drawn.index % 100 == 9, "day"] = "some day"
    return drawn


def written(folder: Path, files: int, group: int, rows: pd.DataFrame) -> Path:
    """The table as so many files with row groups of so many rows."""
    folder.mkdir(exist_ok=True)
    for number, places in enumerate(np.array_split(np.arange(len(rows)), files)):
        pq.write_table(pa.Table.from_pandas(rows.iloc[places]), folder / f"{number}.parquet", row_group_size=group)
    return folder


def seen(asked: Problem, listing: Listing, share: float = 0.4) -> gate.Seen:
    """What all partitions come to, the last one first."""
    look = partial(gate.seen, name=asked.name, share=share, seed=SEED)
    return gate.merged(asked, reversed([(number, look(part)) for number, part in enumerate(listing.partitions)]))


@pytest.fixture(autouse=True)
def _asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers know the problem by its name."""
    monkeypatch.setattr(base, "load", lambda name: problem(GONE if "churn" in name else PRICE, in_time=True))


@settings(max_examples=8)  # each is a dozen gates, which take a tenth of a second
@given(most=st.integers(100, 600), group=st.integers(20, 600))
def test_any_cut_comes_to_the_same(most: int, group: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    asked = problem(PRICE, in_time=True)
    folder = written(tmp_path_factory.mktemp("cut"), 2, group, raw_table())
    whole, cut = (seen(asked, listed(str(folder), asked.contract, rows)) for rows in (10_000, most))
    assert (cut.rows, cut.bad, cut.reasons, cut.times) == (whole.rows, whole.bad, whole.reasons, whole.times)
    for name in ("sample", "quarantined", "failures"):
        same_types = name != "failures"  # texts may be of two types, as parts without any have another
        pd.testing.assert_frame_equal(getattr(cut, name), getattr(whole, name), check_dtype=same_types)
    assert cut.names.keys() == whole.names.keys()
    for column, names in cut.names.items():
        pd.testing.assert_frame_equal(names, whole.names[column])


@pytest.mark.parametrize("in_time", [True, False])
def test_partitions_are_gated_as_the_whole_table_is(
    in_time: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = problem(PRICE, in_time=in_time)
    monkeypatch.setattr(base, "load", lambda _: asked)
    rows = raw_table()
    path = tmp_path / "whole.parquet"
    rows.to_parquet(path)
    silver, quarantined, failures = clean.gated(asked, ingest.read(path, asked.contract))
    found = seen(asked, listed(str(written(tmp_path / "parts", 3, 40, rows)), asked.contract, 100), share=1.0)
    pd.testing.assert_frame_equal(found.sample.drop(columns=[order.FILE, order.ROW]), silver)
    assert (found.rows, found.bad, found.unlabelled) == (len(silver), len(quarantined), 0)
    assert found.quarantined["_reason"].tolist() == quarantined["_reason"].tolist()
    assert found.reasons == failures.groupby("column")["row"].nunique().to_dict()
    assert gates.UNREADABLE not in found.quarantined


def test_names_are_those_of_the_rows_to_learn_from(tmp_path: Path) -> None:
    asked = problem(PRICE, in_time=True)
    rows = table(ROWS)
    rows.loc[rows.index[-1], "city"] = "Lima"  # the last row is in the test
    rows.loc[5, "city"] = "Kyiv"  # and this one may not be in the sample
    listing = listed(str(written(tmp_path, 2, 50, rows)), asked.contract, 100)
    whole = seen(asked, listing, share=0.01)
    how = order.in_time(asked, whole.times, SplitParams(0.1, 0.1, 0.2, seed=1))
    assert gate.learned_names(asked, whole, how) == {"city": ["Bern", "Kyiv", "Oslo", "Rome"]}


def test_the_sample_is_even_and_does_not_depend_on_the_cut(tmp_path: Path) -> None:
    asked = problem(PRICE, in_time=True)
    listing = listed(str(written(tmp_path, 1, 5_000, table(20_000))), asked.contract, 5_000)
    sample = seen(asked, listing, share=0.25).sample
    assert len(sample) == pytest.approx(5_000, rel=0.05)
    assert sample["area"].mean() == pytest.approx(table(20_000)["area"].mean(), rel=0.02)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"area": None}, "lacks the column 'area'"),
        ({"area": "text"}, "depends on all rows of the table"),
        ({"city": "double"}, "Write it as text or as whole numbers"),
    ],
)
def test_a_file_that_is_not_the_table_is_said_before_a_row_is_read(
    change: dict[str, str | None], sentence: str, tmp_path: Path
) -> None:
    asked = problem(PRICE, in_time=True)
    written(tmp_path, 2, 50, table(ROWS))
    [(name, kind)] = change.items()
    rows = table(100).drop(columns=name)
    if kind:
        rows[name] = "1" if kind == "text" else 1.5
    rows.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(TableError, match=sentence) as caught:
        listed(str(tmp_path), asked.contract, 100)
    assert "b.parquet" in str(caught.value)


def test_what_cannot_be_read_is_said_with_its_rows(tmp_path: Path) -> None:
    asked = problem(PRICE, in_time=True)
    path = written(tmp_path, 1, 100, table(ROWS)) / "0.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 4)
    path.write_bytes(content)
    partitions = listed(str(tmp_path), asked.contract, 100).partitions
    with pytest.raises(TableError, match=r"Rows \d+ to \d+ of .*0.parquet cannot be read") as caught:
        _ = [opened(part, asked.contract) for part in partitions]
    assert len(str(caught.value)) < 500
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(TableError, match=r"torn.parquet cannot be read as Parquet"):
        listed(str(tmp_path), asked.contract, 100)
    with pytest.raises(TableError, match="There are no Parquet files"):
        listed(str(tmp_path / "nowhere"), asked.contract, 100)


def test_each_bad_column_has_an_example_though_its_rows_are_not_shown(tmp_path: Path) -> None:
    asked = problem(PRICE, in_time=True)
    rows = table(2_000)
    rows.loc[:1_499, "area"] = np.inf
    rows.loc[1_600:1_609, "city"] = None
    whole = seen(asked, listed(str(written(tmp_path, 1, 2_000, rows)), asked.contract, 2_000))
    assert len(whole.quarantined) == 1_000
    why = clean.by_column(asked.contract, whole.failures, pd.Series(whole.reasons))
    assert "area: 1,500 rows, for example row 1:" in why
    assert "city: 10 rows, for example row 1601:" in why
    with pytest.raises(TableError, match=r"1,510 of 2,000 rows (?s:.*)\n1,000 of them stand in data/hard"):
        clean.demand_few(Workspace("hard"), 0.01, whole.quarantined, whole.bad, whole.rows + whole.bad, why)


def test_names_that_only_a_part_of_the_table_would_shorten_are_refused(tmp_path: Path) -> None:
    asked = problem(PRICE, in_time=True)
    rows = table(400).assign(city=["1.0", "2.0"] * 200)
    rows.loc[399, "city"] = "1.5"  # so that one machine has "1.0", and most partitions alone would have "1"
    listing = listed(str(written(tmp_path, 1, 100, rows)), asked.contract, 100)
    with pytest.raises(TableError, match=r"'city' of .*0.parquet has names like '1.0'"):
        seen(asked, listing)

"""The rows that later answers are compared with."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from model.predictor import open_predictor
from model.watched import EARLIER, HELD_OUT, METADATA, SPLIT, Watched, score_columns
from tests.project import Project
from training.data import tables
from training.data.split import TEST
from training.evaluation import reference, report
from training.workspace import Workspace

PLACE = Workspace("flights")


def test_scores_are_those_that_the_model_gives_to_the_rows(trained: Project) -> None:
    file = pq.read_table(trained.folder / PLACE.reference)
    watched = msgspec.json.decode(file.schema.metadata[METADATA], type=Watched)
    predictor = open_predictor(trained.folder / PLACE.bundle)
    assert (watched.model, watched.version) == ("flights", predictor.version)
    rows = file.to_pandas()
    contract = watched.columns()
    names = score_columns(3)  # of a regression: the value, and the ends of its interval
    assert [*(column.name for column in contract.inputs), contract.target.name, SPLIT, *names] == list(rows)
    for part in (HELD_OUT, EARLIER):
        some = rows[rows[SPLIT] == part].iloc[::50]
        places, scores = tables.ask(predictor, some)
        assert len(places) == len(some)
        np.testing.assert_allclose(some[names].to_numpy(), scores, rtol=1e-9)


def test_held_out_rows_are_those_of_the_test(trained: Project) -> None:
    rows = tables.read(trained.folder / PLACE.reference)
    silver, split = (tables.read(trained.folder / path) for path in (PLACE.silver, PLACE.split))
    test = silver[(split["split"] == TEST).to_numpy()].sort_values("date", kind="stable")
    held_out = rows[rows[SPLIT] == HELD_OUT]
    assert held_out["price"].tolist() == test["price"].tolist()
    assert (rows[SPLIT] == EARLIER).sum() == len(silver) - len(test)


def test_a_large_table_is_sampled_evenly_in_time(
    trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silver, split = (tables.read(trained.folder / path) for path in (PLACE.silver, PLACE.split))
    many, splits = pd.concat([silver] * 7, ignore_index=True), pd.concat([split] * 7, ignore_index=True)["split"]
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.folder / PLACE.folder, PLACE.folder)
    reference.write(PLACE, open_predictor(PLACE.bundle), many, splits, report.read(PLACE))
    rows = tables.read(PLACE.reference)
    earlier = rows[rows[SPLIT] == EARLIER]
    assert len(earlier) == 30_000
    known = many[(splits != TEST).to_numpy()]["date"].astype("int64")
    shares = np.linspace(0, 1, 11)
    spread = np.ptp(known)
    assert np.abs(earlier["date"].astype("int64").quantile(shares) - known.quantile(shares)).max() < spread / 100

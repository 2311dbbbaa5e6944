"""What a retraining keeps and leaves when it gets no further than training: here there is none to be called."""

import errno
import os
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from model import receipts
from model.receipts import Registered
from monitoring import reference, retrain, runs
from monitoring.retrain import Wanted
from monitoring.store import Store
from tests.monitoring import kept, made
from tests.project import ROOT
from validation.errors import StoreError

WANTED = Wanted("flights", scheduled=True)
OLD, NEW = "0" * 16, "f" * 16
LEFT = Path("data/flights/reference.parquet")
MODEL = made.model(rows=600)


@pytest.fixture
def store(folder: Path) -> Store:
    """The watch store of a folder in which version `OLD` is champion, and training cannot be run."""
    receipt = Registered(
        bundle=OLD, registry_version="1", promoted=True, reasons=[], data="", labelled=None, rows=1, reference=str(LEFT)
    )
    path = receipts.registered("flights")
    path.parent.mkdir(parents=True)
    path.write_bytes(msgspec.json.encode(receipt))
    return Store("flights")


def labelled(_: Store) -> pd.DataFrame:
    return pd.DataFrame({"origin": ["Recife (PE)"] * 1_000, "price": [100.0] * 1_000})


def rows_of(version: str) -> bytes:
    return kept.reference(
        MODEL._replace(watched=msgspec.structs.replace(MODEL.watched, model="flights", version=version))
    )


def leave(version: str) -> None:
    """Reference rows in data/, as a training of this version leaves them."""
    LEFT.parent.mkdir(parents=True, exist_ok=True)
    LEFT.write_bytes(rows_of(version))


def retrained(store: Store, how: str) -> None:
    """A retraining that comes as far as training."""
    if how == "learn":
        with pytest.raises(StoreError, match="training ended with code"):
            retrain.learn(WANTED, labelled)
    else:
        assert retrain.main(WANTED, labelled).status == "failed"


@pytest.mark.parametrize("how", ["learn", "main"])
def test_the_champions_reference_rows_are_kept_before_training_replaces_them(store: Store, how: str) -> None:
    leave(OLD)
    retrained(store, how)
    leave(NEW)
    assert reference.load(store, "flights", OLD).watched.version == OLD


@pytest.mark.parametrize("how", ["learn", "main"])
def test_rows_of_another_version_are_not_kept_as_the_champions(store: Store, how: str) -> None:
    leave(NEW)  # by a training that the registry knows nothing of
    retrained(store, how)
    assert store.names("reference") == []
    with pytest.raises(StoreError, match=f"{LEFT} is of version {NEW}"):
        reference.load(store, "flights", OLD)


def test_rows_in_the_store_under_a_wrong_name_are_not_taken(store: Store) -> None:
    store.write_bytes(f"reference/{OLD}.parquet", rows_of(NEW))
    with pytest.raises(StoreError, match=f"reference/{OLD}.parquet of the watch store .* is of version {NEW}"):
        reference.load(store, "flights", OLD)
    leave(OLD)
    assert reference.load(store, "flights", OLD).watched.version == OLD
    LEFT.unlink()
    assert reference.load(store, "flights", OLD).watched.version == OLD


def full(_: Store) -> pd.DataFrame:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_an_end_with_its_reason(store: Store) -> None:
    assert retrain.main(WANTED, full).status == "failed"
    [run] = runs.listed(store)
    assert (run.status, run.reasons) == ("failed", ["[Errno 28] No space left on device"])


def test_a_run_that_another_machine_has_begun_goes_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrain.main(WANTED, labelled)
    [own] = runs.listed(store)
    other = runs.begun(store, "schedule", "x", "another folder")
    runs.changed(store, own, status="running", ended="")  # as if it had been killed
    retrain.main(WANTED, labelled)
    statuses = {run.id: run.status for run in runs.listed(store)}
    assert (statuses[own.id], statuses[other.id]) == ("interrupted", "running")
    monkeypatch.setenv("BOXWOOD_WATCH", str(tmp_path / "stores/watch"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path / "elsewhere")
    retrain.main(WANTED, labelled)
    places = [run.where for run in runs.listed(store)]
    assert places[0] == places[2] != places[3]

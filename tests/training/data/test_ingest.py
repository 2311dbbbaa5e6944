"""Raw tables: every way in which a file can be wrong ends in a sentence, and nothing half-written stays."""

import decimal
import gzip
import json
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from problems.base import Problem
from problems.parameters import PARAMS
from tests.project import parameters
from training.data import clean, gates, ingest, source, tables
from training.workspace import Workspace, sha256, write_json
from validation.errors import SettingsError, TableError

HEADER = "travelCode,userCode,from,to,flightType,price,time,distance,agency,date"
GOOD = "0,0,Recife (PE),Natal (RN),economic,400.5,0.66,253.2,CloudFy,09/26/2019"
PLACE = Workspace("flights")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, with parameters, as the current one."""
    (tmp_path / PARAMS).write_text(parameters())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def raw(content: bytes | str, name: str = "table.csv") -> None:
    PLACE.raw.mkdir(parents=True, exist_ok=True)
    table = PLACE.raw / name
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    write_json(PLACE.source, {"origin": name, "sha256": sha256(table)})


def lines(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def test_a_table_becomes_the_contracts_names_and_values(flights: Problem) -> None:
    raw(lines(GOOD, f"  {GOOD} "))
    ingest.main(flights)
    table = tables.read(PLACE.bronze)
    assert list(table.columns) == [*(column.name for column in flights.contract.columns), gates.UNREADABLE]
    assert table.loc[0, "origin"] == "Recife (PE)"
    assert table.loc[0, "date"] == pd.Timestamp("2019-09-26")
    assert table["price"].tolist() == [400.5, 400.5]
    assert table[gates.UNREADABLE].isna().all()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "table.csv is empty"),
        ("\n", "table.csv has no cells. Bring the table itself"),
        (HEADER + "\n", "has headers and no rows"),
        (lines(GOOD, header=HEADER.replace("price,", "")), "lacks the column 'price'"),
        (lines(GOOD, header=HEADER.replace("flightType", "flight_type")), "'flightType' (renamed to 'flight_type'?)"),
        (lines(GOOD, header=HEADER.replace("time", "price")), "two columns with the header 'price'"),
        (lines(GOOD + ",surplus"), "has rows with more cells than the header"),
        (b"PAR1nonsense", "table.csv is damaged or cut off: Parquet"),
    ],
)
def test_a_file_that_is_not_the_table_is_refused(flights: Problem, content: bytes | str, says: str) -> None:
    raw(content)
    with pytest.raises(TableError) as caught:
        ingest.main(flights)
    assert says in str(caught.value)
    assert not PLACE.bronze.exists()


def test_a_cut_off_parquet_file_is_refused(flights: Problem, tmp_path: Path) -> None:
    pd.DataFrame({"a": range(1000)}).to_parquet(tmp_path / "whole.parquet")
    raw((tmp_path / "whole.parquet").read_bytes()[:-100], "table.parquet")
    with pytest.raises(TableError, match=r"table\.parquet is damaged or cut off"):
        ingest.main(flights)


def test_a_cut_off_gzip_file_is_refused(flights: Problem) -> None:
    raw(gzip.compress(lines(*[GOOD] * 5000).encode())[:-20], "table.csv.gz")
    with pytest.raises(TableError, match=r"table\.csv\.gz"):
        ingest.main(flights)


def test_parquet_and_compressed_tables_are_read_like_csv(flights: Problem, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(lines(GOOD, GOOD))
    found = []
    typed = pd.read_csv(tmp_path / "table.csv", parse_dates=["date"], date_format="%m/%d/%Y")
    typed.to_parquet(tmp_path / "typed.parquet")
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress((tmp_path / "table.csv").read_bytes()))
    for name in ("table.csv", "typed.parquet", "table.csv.gz"):
        source.main(flights, str(tmp_path / name))
        ingest.main(flights)
        found.append(tables.read(PLACE.bronze))
    pd.testing.assert_frame_equal(found[0], found[1])
    pd.testing.assert_frame_equal(found[0], found[2])


def test_bad_rows_go_to_quarantine_with_their_reasons(flights: Problem) -> None:
    bad = {
        2: (GOOD.replace("400.5", "-3"), "price: -3 is below the minimum of 0 USD"),
        3: (GOOD.replace("09/26/2019", "02/30/2019"), "date: '02/30/2019' is not a date like 05/31/2023 or 2023-05-31"),
        5: (GOOD.replace("0.66", "fast"), "duration_hours: 'fast' is not a number"),
        6: (GOOD.replace("253.2", "inf"), "distance_km: inf is not a finite number"),
        8: (GOOD.replace("economic", ""), "cabin: is missing"),
        9: ("0,0,Recife (PE),Natal (RN)", "cabin: is missing"),
    }
    raw(lines(*(bad[number][0] if number in bad else GOOD for number in range(1, 1001))))
    ingest.main(flights)
    clean.main(flights)
    assert len(tables.read(PLACE.silver)) == 994
    quarantined = pd.read_csv(PLACE.quarantine)
    assert quarantined["_row"].tolist() == list(bad)
    for (_, says), reason in zip(bad.values(), quarantined["_reason"], strict=True):
        assert says in reason


def test_too_many_bad_rows_stop_the_run_and_name_the_worst(flights: Problem) -> None:
    raw(lines(*[GOOD] * 95, *[GOOD.replace("400.5", "-3")] * 4, GOOD.replace("0.66", "fast")))
    ingest.main(flights)
    with pytest.raises(TableError) as caught:
        clean.main(flights)
    message = str(caught.value)
    assert "5 of 100 rows do not satisfy the contract; the limit is 1.0%:" in message
    assert message.splitlines()[1:3] == [
        "  price (the target): 4 rows, for example row 96: -3 is below the minimum of 0 USD; "
        "if such values are right, its ge= has to allow them",
        "  duration_hours: 1 row, for example row 100: 'fast' is not a number; "
        "if it is a value, the column needs a parse= that reads it",
    ]
    assert not PLACE.silver.exists()
    assert len(pd.read_csv(PLACE.quarantine)) == 5


def test_a_table_that_was_edited_in_place_is_noticed(flights: Problem) -> None:
    raw(lines(GOOD, GOOD))
    (PLACE.raw / "table.csv").write_text(lines(GOOD))
    with pytest.raises(TableError, match="was changed after it was brought here"):
        ingest.main(flights)
    (PLACE.raw / "table.csv").unlink()
    source.main(flights)
    ingest.main(flights)


def test_blank_lines_are_no_rows_and_still_count(flights: Problem) -> None:
    raw(lines(GOOD, "", GOOD.replace("0.66", "fast"), *[GOOD] * 200, "", ""))
    ingest.main(flights)
    clean.main(flights)
    assert len(tables.read(PLACE.silver)) == 201
    assert pd.read_csv(PLACE.quarantine)["_row"].tolist() == [3]


def test_integers_that_no_double_holds_are_not_rounded(flights: Problem) -> None:
    raw(lines(*[GOOD] * 200, GOOD.replace("0,0,", "9007199254740993,0,")))
    ingest.main(flights)
    clean.main(flights)
    assert "beyond ±2^53" in pd.read_csv(PLACE.quarantine)["_reason"][0]


def test_parquet_of_odd_types_is_read(flights: Problem, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(lines(GOOD, GOOD))
    typed = pd.read_csv(tmp_path / "table.csv")
    typed["price"] = pd.Series([decimal.Decimal("400.5"), None], dtype=object)
    typed.set_index("agency").to_parquet(tmp_path / "odd.parquet")
    source.main(flights, str(tmp_path / "odd.parquet"))
    ingest.main(flights)
    table = tables.read(PLACE.bronze)
    assert table["agency"].tolist() == ["CloudFy"] * 2
    assert table["price"].tolist()[0] == 400.5
    assert table["price"].isna().tolist() == [False, True]


def test_an_empty_file_is_refused(flights: Problem, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(TableError, match=r"empty\.csv is empty"):
        source.main(flights, str(tmp_path / "empty.csv"))
    assert not PLACE.raw.exists()


def test_without_data_the_last_source_stays(
    flights: Problem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source.main(flights)
    assert json.loads(PLACE.source.read_text())["origin"] == "simulated"
    source.main(flights)
    assert "as before" in capsys.readouterr().out
    (tmp_path / "mine.csv").write_text(lines(GOOD))
    source.main(flights, str(tmp_path / "mine.csv"))
    source.main(flights)
    assert json.loads(PLACE.source.read_text())["origin"] == str(tmp_path / "mine.csv")
    source.main(flights, "simulated")
    assert json.loads(PLACE.source.read_text())["origin"] == "simulated"


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 20 kB, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("stage", [source.main, ingest.main, clean.main])
def test_a_full_disk_leaves_no_half_written_output(
    flights: Problem, request: pytest.FixtureRequest, stage: Callable[[Problem], None]
) -> None:
    for earlier in (source.main, ingest.main, clean.main):
        if earlier is stage:
            break
        earlier(flights)
    before = sorted(PLACE.folder.rglob("*")) if PLACE.folder.exists() else []
    request.getfixturevalue("small_disk")
    with pytest.raises(OSError, match="File too large"):
        stage(flights)
    after = [path for path in PLACE.folder.rglob("*") if path.name != PLACE.quarantine.name]
    assert sorted(after) == [path for path in before if path.name != PLACE.quarantine.name]


def test_parameters_are_checked(flights: Problem, here: Path) -> None:
    raw(lines(GOOD))
    ingest.main(flights)
    text = (here / PARAMS).read_text()
    for old, new, says in (
        ("quarantine_limit", "quarantine_limits", "flights.clean: Object .*quarantine_limits"),
        ("quarantine_limit: 0.01", "quarantine_limit: some", "Expected `float`, got `str`"),
        ("  clean:", "  clear:", "has no entry 'clean'"),
        ("problems: [flights]", "problems: [flights", "cannot be read"),
    ):
        assert old in text
        (here / PARAMS).write_text(text.replace(old, new))
        with pytest.raises(SettingsError, match=says):
            clean.main(flights)

"""A run from files to files: any format, once and no more, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.predictor import Predictor
from scoring import __main__ as commands
from tests.scoring import made
from tests.scoring.runs import contents, score, verify


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("in.parquet", {"row_group_size": 1_000}),
        ("in.parquet", {"row_group_size": 5_000}),
        ("in.csv", {}),
        ("in.tsv", {"delimiter": "\t"}),
        ("in.arrow", {"max_chunksize": 451}),
        ("in.arrows", {"max_chunksize": 451}),
    ],
)
def test_every_format_is_scored_once(
    name: str, options: dict[str, Any], rows: list[made.Row], predictor: Predictor, bundle: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made.write(tmp_path / name, rows, **options)
    out = tmp_path / "out"
    assert score(tmp_path / name, out, bundle) == 0
    answers = made.answers(out)
    assert made.scores(answers).tobytes() == np.ascontiguousarray(made.expected(predictor, rows)).tobytes()
    assert answers["key_travel_code"].to_pylist() == [row["travel_code"] for row in rows]
    assert answers["row"].to_pylist() == list(range(3_000))
    assert set(answers["file"].to_pylist()) == {name}
    assert set(answers["model_version"].to_pylist()) == {predictor.version}
    assert verify(out) == 0
    assert "3,000 rows are scored by flights" in capsys.readouterr().out

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert score(tmp_path / name, out, bundle) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert not (out / "_done").exists()


def test_answers_are_those_of_the_service(
    rows: list[made.Row], bundle: Path, client: httpx.Client, tmp_path: Path
) -> None:
    rows = [*rows[:99], rows[99] | {"agency": "Nobody"}]  # of which there is a warning
    made.write(tmp_path / "in.parquet", rows)
    assert score(tmp_path / "in.parquet", tmp_path / "out", bundle) == 0
    made.assert_served(client, rows, made.answers(tmp_path / "out"))


def test_a_folder_of_several_files_on_several_processes(
    rows: list[made.Row], predictor: Predictor, bundle: Path, tmp_path: Path
) -> None:
    made.write(tmp_path / "in/a.csv", rows[:1_000])
    made.write(tmp_path / "in/below/b.parquet", rows[1_000:2_500])
    made.write(tmp_path / "in/c.arrow", rows[2_500:])
    for ignored in ("in/_SUCCESS", "in/.hidden.csv", "in/_old/a.csv"):
        (tmp_path / ignored).parent.mkdir(exist_ok=True)
        (tmp_path / ignored).write_text("x")
    assert score(tmp_path / "in", tmp_path / "out", bundle, "--rows", "400", "--workers", "2") == 0
    answers = made.answers(tmp_path / "out")
    files = answers["file"].to_pylist()
    assert [files.count(name) for name in ("a.csv", "below/b.parquet", "c.arrow")] == [1_000, 1_500, 500]
    assert (made.scores(answers) == made.expected(predictor, rows)).all()
    assert verify(tmp_path / "out") == 0
    assert score(f"{tmp_path}/in/*.csv", tmp_path / "some", bundle) == 0
    assert (made.scores(made.answers(tmp_path / "some")) == made.expected(predictor, rows[:1_000])).all()


def test_bad_rows_are_in_the_quarantine_and_nowhere_else(
    rows: list[made.Row], predictor: Predictor, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = [{**row} for row in rows[:1_500]]
    for place in range(0, 1_500, 5):
        changed[place]["distance_km"] = -1.0
    changed[701]["cabin"] = "busines"
    made.write(tmp_path / "in.csv", changed)
    lines = (tmp_path / "in.csv").read_text().splitlines()
    lines[1 + 3] += ",1,2"
    lines.insert(700, "")  # no row
    (tmp_path / "in.csv").write_text("\n".join(lines))
    assert score(tmp_path / "in.csv", tmp_path / "out", bundle) == 0
    reasons = made.refused(tmp_path / "out")
    bad = {*range(0, 1_500, 5), 701, 3}
    assert {reason["row"] for reason in reasons} == bad
    told = {reason["row"]: (reason["column"], reason["reason"]) for reason in reasons}
    assert told[5] == ("distance_km", "-1 is below the minimum of 0 km")
    assert told[701] == ("cabin", "'busines' is not a cabin that the model knows")
    assert told[3] == (None, "the line has 10 cells, and the header 8")
    good = [place for place in range(1_500) if place not in bad]
    answers = made.answers(tmp_path / "out")
    assert answers["row"].to_pylist() == good
    assert (made.scores(answers) == made.expected(predictor, [changed[place] for place in good])).all()
    assert verify(tmp_path / "out") == 0
    assert "302 are refused, with the reasons in _quarantine" in capsys.readouterr().out


def test_texts_of_a_csv_file_are_values_by_the_contract(
    rows: list[made.Row], predictor: Predictor, bundle: Path, tmp_path: Path
) -> None:
    texts = [" 1.5", "+1.5", "1.5e0", "2023", "x", "", "nan", "nan(1)", "inf", "1,250.5", "-0"]
    values = [1.5, 1.5, 1.5, 2023, None, None, None, None, None, None, 0.0]
    changed = [{**row, "duration_hours": text} for row, text in zip(rows, texts, strict=False)]
    made.write(tmp_path / "in.csv", changed)
    assert score(tmp_path / "in.csv", tmp_path / "out", bundle) == 0
    good = [place for place, value in enumerate(values) if value is not None and value <= 48]
    answers = made.answers(tmp_path / "out")
    assert answers["row"].to_pylist() == good
    asked = [{**rows[place], "duration_hours": values[place]} for place in good]
    assert (made.scores(answers) == made.expected(predictor, asked)).all()
    told = {reason["row"]: reason["reason"] for reason in made.refused(tmp_path / "out")}
    assert told[4] == "'x' is not a number"
    assert told[5] == told[6] == "null is not allowed here"
    assert told[9] == "1250.5 is above the maximum of 48 h"


def test_no_rows_are_no_partitions(bundle: Path, rows: list[made.Row], tmp_path: Path) -> None:
    made.write(tmp_path / "in/a.csv", rows[:1])
    (tmp_path / "in/a.csv").write_text((tmp_path / "in/a.csv").read_text().splitlines()[0])
    assert score(tmp_path / "in", tmp_path / "out", bundle) == 0
    assert verify(tmp_path / "out") == 0
    assert contents(tmp_path / "out") == {}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.write_text("a,b\n1,2\n"), "has no column 'origin', which the model needs; it has 'a', 'b'"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"PAR1" + b"x" * 50), "cannot be read: "),
        (lambda path: path.rename(path.with_suffix(".zip")), "is no table that is read here"),
        (lambda path: path.unlink(), "There is no file to score at"),
    ],
)
def test_a_wrong_input_changes_nothing(
    spoil: Callable[[Path], object], sentence: str, rows: list[made.Row], bundle: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made.write(tmp_path / "in/a.csv", rows[:10])
    spoil(tmp_path / "in/a.csv")
    assert score(tmp_path / "in", tmp_path / "out", bundle) == 1
    assert sentence in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*"))


def test_a_table_without_a_good_row_fails(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.parquet", [{**row, "distance_km": -1.0} for row in rows[:30]])
    for _ in range(2):
        assert score(tmp_path / "in.parquet", tmp_path / "out", bundle) == 1
    assert verify(tmp_path / "out") == 0


def test_columns_that_the_model_does_not_know_are_dropped_by_name(
    rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "in.parquet", [{**row, "price": 1.0, "note": "x"} for row in rows[:20]])
    assert score(tmp_path / "in.parquet", tmp_path / "out", bundle) == 1
    assert "To leave out such columns: --drop price note." in capsys.readouterr().err
    assert score(tmp_path / "in.parquet", tmp_path / "out", bundle, "--drop", "price", "note") == 0
    assert verify(tmp_path / "out") == 0


def test_an_output_is_of_one_model_and_one_input(
    rows: list[made.Row], bundle: Path, narrower: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in/a.csv", tmp_path / "out"
    made.write(source, rows[:10])
    assert score(source.parent, out, bundle) == 0
    before = contents(out)

    def refused(*options: str, model: Path = bundle) -> str:
        assert score(source.parent, out, model, *options) == 1
        assert contents(out) == before
        return capsys.readouterr().err

    assert "is of the model flights:" in refused(model=narrower)
    assert "was begun without --explain" in refused("--explain")
    assert "was begun without --drop" in refused("--drop", "note")
    made.write(tmp_path / "in/b.csv", rows[:10])
    assert "is of another input: b.csv is new" in refused()
    (tmp_path / "in/b.csv").unlink()
    made.write(source, rows[:11])
    assert "is of another input: a.csv has changed" in refused()
    assert score(source, tmp_path / "in", bundle) == 1
    assert "has files of something else, as a.csv" in capsys.readouterr().err
    assert score(tmp_path / "in", tmp_path / "in/out", bundle) == 1
    assert "lies in the input" in capsys.readouterr().err


def test_verify_finds_what_is_wrong(
    rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "in.parquet", rows)
    assert score(tmp_path / "in.parquet", tmp_path / "out", bundle) == 0

    def told(spoil: Callable[[Path], object]) -> str:
        shutil.copytree(tmp_path / "out", tmp_path / "spoiled")
        spoil(tmp_path / "spoiled")
        assert verify(tmp_path / "spoiled") == 1
        shutil.rmtree(tmp_path / "spoiled")
        return capsys.readouterr().err

    def half(out: Path) -> None:
        """One partition with half of its rows, and a manifest that vouches for it."""
        path = out / "part-00001.parquet"
        pq.write_table(pq.read_table(path).slice(0, 350), path)
        found = json.loads((out / "_manifest.json").read_text())
        with path.open("rb") as file:
            from storage.place import digest

            size, sha256 = digest(file)
        found["done"][1] |= {"good": 350, "answers": {"path": path.name, "size": size, "sha256": sha256}}
        (out / "_manifest.json").write_text(json.dumps(found))

    assert "part-00001.parquet is not there" in told(lambda out: (out / "part-00001.parquet").unlink())
    assert "part-00001.parquet was changed" in told(lambda out: (out / "part-00001.parquet").write_bytes(b"x"))
    assert "is in no partition" in told(lambda out: shutil.copy(out / "part-00001.parquet", out / "part-00009.parquet"))
    assert "Partition 1 has not each row of its part once" in told(half)
    assert "is no manifest of this release" in told(lambda out: (out / "_manifest.json").write_text("{}"))
    assert "There is no _manifest.json" in told(lambda out: (out / "_manifest.json").unlink())


def test_from_bucket_to_bucket(
    rows: list[made.Row], predictor: Predictor, bundle: Path, bucket: str, tmp_path: Path
) -> None:
    made.write(tmp_path / "in/a.parquet", rows[:2_000], row_group_size=500)
    made.write(tmp_path / "in/b.csv", rows[2_000:])
    store = fsspec.filesystem("s3")
    store.put(str(tmp_path / "in"), f"{bucket}/tables", recursive=True)
    options = ("--rows", "600", "--workers", "2")
    assert score(f"{bucket}/tables", f"{bucket}/out", bundle, *options) == 0
    assert verify(f"{bucket}/out") == 0
    names = sorted(name for name in store.find(f"{bucket}/out") if name.endswith(".parquet"))
    answers = pa.concat_tables(pq.read_table(store.open(name)) for name in names)
    assert (made.scores(answers) == made.expected(predictor, rows)).all()
    before = {name: store.info(name)["LastModified"] for name in store.find(f"{bucket}/out")}
    assert score(f"{bucket}/tables", f"{bucket}/out", bundle, *options) == 0
    assert {name: store.info(name)["LastModified"] for name in store.find(f"{bucket}/out")} == before
    store.pipe_file(f"{bucket}/tables/b.csv", (tmp_path / "in/b.csv").read_bytes() + b"\n")
    assert score(f"{bucket}/tables", f"{bucket}/out", bundle, *options) == 1
    assert score(f"{bucket}/no/such", tmp_path / "out", bundle) == 1


def test_models_are_found_by_their_names(
    rows: list[made.Row], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    project = bundle.parents[2]
    version = json.loads((bundle / "manifest.json").read_text())["version"]
    made.write(tmp_path / "in.csv", rows[:10])
    monkeypatch.chdir(project)
    for place, name in enumerate(("flights", f"flights:{version}")):
        assert commands.main(["score", f"{tmp_path}/in.csv", f"{tmp_path}/{place}", "--model", name]) == 0
    assert contents(tmp_path / "0") == contents(tmp_path / "1")
    assert commands.main(["score", f"{tmp_path}/in.csv", f"{tmp_path}/2", "--model", "flights:0"]) == 1
    assert "There is no model 'flights:0'" in capsys.readouterr().err

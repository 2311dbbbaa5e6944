"""Many: tables go in, and come out with answers that are the service's, row by row."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.ui.test_ask import HOSTILE, OTHER, agrees
from tests.ui.visitor import Api, Visitor
from tests.ui.wire import Wire

pytestmark = pytest.mark.browser
CABINS = ["economic", "firstClass", "premium"]
VARIED: dict[str, tuple[str, list[float]]] = {
    "flights": ("duration_hours", [1.5, 2.25, 0.75]),
    "churn": ("tenure", [1, 30, 70]),
    "houses": ("area", [55.5, 100.5, 200.25]),
}


def good_rows(api: Api, model: str) -> list[dict[str, Any]]:
    """Some different rows."""
    name, numbers = VARIED[model]
    row = api.example(model)
    return [row, row | OTHER[model], *({**row, name: number} for number in numbers)]


def expected(api: Api, model: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The columns that rows get, of what the service says."""
    made = []
    for said in api.predict(model, *rows):
        cells = {"prediction": said["prediction"]}
        if "interval" in said:
            cells |= {f"prediction_{end}": said["interval"][end] for end in ("low", "high")}
        cells |= {f"probability_{name}": share for name, share in said.get("probabilities", {}).items()}
        if "prediction_set" in said:
            cells["prediction_set"] = json.dumps(said["prediction_set"]["labels"], separators=(",", ":"))
        made.append(cells)
    return pd.DataFrame(made)


def answered(visitor: Visitor, name: str, content: bytes, folder: Path) -> pd.DataFrame:
    """Upload a file, have all rows predicted, and read what is downloaded."""
    upload(visitor, name, content)
    visitor.page.get_by_role("button", name="Predict all rows").click()
    expect(visitor.shown.locator(".preview")).to_be_visible()
    with visitor.page.expect_download() as begun:
        visitor.page.get_by_text("Download the answers").click()
    path = folder / begun.value.suggested_filename
    begun.value.save_as(path)
    assert path.name == f"{Path(name).stem}-answered{Path(name).suffix}"
    return pd.read_csv(path, keep_default_na=False) if path.suffix == ".csv" else pd.read_parquet(path)


def upload(visitor: Visitor, name: str, content: bytes) -> None:
    """Choose a file, and wait until it is there."""
    choose(visitor, name, content)
    expect(visitor.shown.get_by_text(Path(name).suffix).first).to_be_visible()


def choose(visitor: Visitor, name: str, content: bytes) -> None:
    """Choose a file, as from the dialog."""
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    visitor.page.locator("#upload input[type=file]").set_input_files(file)  # type: ignore[arg-type]


def parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


@pytest.mark.parametrize("model", list(VARIED))
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_comes_back_with_the_answers_of_the_service(
    visitor: Visitor, api: Api, tmp_path: Path, model: str, suffix: str
) -> None:
    rows = good_rows(api, model)
    table = pd.DataFrame(rows).assign(note=[HOSTILE] * len(rows))
    content = table.to_csv(index=False).encode() if suffix == ".csv" else parquet(table)
    visitor.open(model).tab("Many")
    came = answered(visitor, f"my table{suffix}", content, tmp_path)
    wanted = expected(api, model, rows)
    pd.testing.assert_frame_equal(came[list(wanted)], wanted, check_exact=True)
    assert list(came["note"]) == [HOSTILE] * len(rows)
    assert not any(came["errors"].fillna(""))
    for reasons, said in zip(came["reasons"], api.explain(model, *rows), strict=True):
        [first, *_] = sorted(said["contributions"], key=lambda name: -abs(said["contributions"][name]))
        assert reasons.startswith(api.title(model, first))
    expect(visitor.shown.locator(".preview")).to_contain_text(f"{len(rows)} of {len(rows)} rows")


def test_bad_rows_are_told_and_the_others_answered(visitor: Visitor, api: Api, tmp_path: Path) -> None:
    good = good_rows(api, "flights")[:2]
    lines = pd.DataFrame([good[0], good[0] | {"cabin": "busines"}, good[1] | {"agency": HOSTILE}, good[0]])
    lines["distance_km"] = ["675.15", "675.15", "500.5", "far"]
    visitor.open("flights").tab("Many")
    visitor.page.get_by_role("checkbox", name="With reasons").uncheck()
    came = answered(visitor, "rows.csv", lines.to_csv(index=False).encode(), tmp_path)
    assert "reasons" not in came
    predictions = api.predict("flights", good[0], good[1] | {"agency": HOSTILE})
    assert [came["prediction"][0], came["prediction"][2]] == [str(said["prediction"]) for said in predictions]
    assert list(came["prediction"][[1, 3]]) == ["", ""]
    assert came["errors"][1].startswith("cabin: 'busines'")
    assert came["errors"][3].startswith("distance_km: ")
    assert came["warnings"][2] == predictions[1]["warnings"][0]
    expect(visitor.shown.locator(".preview")).to_contain_text("1 has warnings")
    errors = visitor.shown.get_by_role("region", name="Errors").locator("tbody tr")
    assert [row.locator("td").all_inner_texts()[:2] for row in errors.all()] == [["2", "cabin"], ["4", "distance km"]]
    expect(visitor.shown.get_by_role("region", name="The highest price")).to_contain_text(HOSTILE)


def test_the_table_that_was_learned_from_is_answered_and_summed_up(visitor: Visitor, api: Api, tmp_path: Path) -> None:
    row = api.example("flights")
    headers = {column["name"]: column.get("source", column["name"]) for column in api.model("flights")["contract"]}
    rows = [{**row, "distance_km": 100.0 + 20 * place, "cabin": CABINS[place % 3]} for place in range(30)]
    table = pd.DataFrame(rows).rename(columns=headers)
    table["date"] = pd.to_datetime(table["date"]).dt.strftime("%m/%d/%Y")
    visitor.open("flights").tab("Many")
    came = answered(visitor, "raw.csv", table.to_csv(index=False).encode(), tmp_path)
    wanted = expected(api, "flights", rows)
    pd.testing.assert_frame_equal(came[list(wanted)], wanted, check_exact=True)
    shown = visitor.shown.locator(".preview")
    expect(shown.get_by_role("img", name="bars from")).to_be_visible()
    expect(shown.get_by_role("table", name="Mean price by cabin")).to_contain_text("10 rows")
    highest = shown.get_by_role("region", name="The highest price").locator("tbody tr")
    expect(highest).to_have_count(5)
    assert int(highest.first.locator("td").first.inner_text()) == int(came["prediction"].to_numpy().argmax()) + 1
    expect(highest.first.locator(".reasons")).to_contain_text("(")
    with visitor.page.expect_download() as begun:
        visitor.page.get_by_text("Download a template").click()
    assert begun.value.suggested_filename == "flights-template.csv"


BAD: dict[str, tuple[str, bytes, str]] = {
    "empty": ("empty.csv", b"", "is empty"),
    "blank": ("blank.csv", b"\n \n", "is empty"),
    "binary": ("photo.csv", b"\x00\x01PNG" * 99, "cannot be read as CSV"),
    "no parquet": ("table.parquet", b"origin,destination\n", "cannot be read as Parquet"),
    "missing column": ("part.csv", b"origin,destination,cabin,agency,duration_hours\na,b,c,d,1\n", "distance_km, date"),
    "ragged": ("ragged.csv", b"origin,destination\na,b\na,b,c,d,e\n", "ragged.csv"),
    "not UTF-8": ("latin.csv", "origin,destination\nŁódź,x\n".encode("cp1250"), "is not UTF-8"),
    "no rows": ("head.csv", b"origin,destination,cabin,agency,duration_hours,distance_km,date\n", "has no rows"),
}


def test_a_bad_file_gets_a_sentence(visitor: Visitor, api: Api, tmp_path: Path) -> None:
    visitor.open("flights").tab("Many")
    for name, content, sentence in BAD.values():
        upload(visitor, name, content)
        visitor.page.get_by_role("button", name="Predict all rows").click()
        problem = visitor.shown.locator(".problem")
        expect(problem).to_contain_text(sentence)
        expect(problem).to_contain_text(name)
        expect(visitor.page.get_by_text("Download the answers")).to_be_hidden()
        visitor.page.locator("#upload").get_by_role("button", name="Clear").click()
        expect(visitor.page.get_by_role("button", name="Predict all rows")).to_be_disabled()
    came = answered(visitor, "good.csv", pd.DataFrame([api.example("flights")]).to_csv(index=False).encode(), tmp_path)
    assert len(came) == 1


def test_a_file_of_another_kind_gets_a_sentence(visitor: Visitor) -> None:
    visitor.open("flights").tab("Many")
    choose(visitor, "table.xlsx", b"PK")
    expect(visitor.page.get_by_text("Only .csv, .parquet allowed")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Predict all rows")).to_be_disabled()
    upload(visitor, "table.csv", b"origin\n")
    expect(visitor.page.get_by_role("button", name="Predict all rows")).to_be_enabled()


def test_a_table_in_work_can_be_stopped(visitor: Visitor, api: Api, wire: Wire) -> None:
    row = pd.DataFrame([api.example("flights")])
    visitor.open("flights").tab("Many")
    upload(visitor, "large.csv", pd.concat([row] * 600).to_csv(index=False).encode())
    with wire.held("explain"):
        with wire.asks():
            visitor.page.get_by_role("button", name="Predict all rows").click()
        visitor.page.get_by_role("button", name="Stop").click()
        expect(visitor.shown.locator(".problem")).to_contain_text("Stopped")
        expect(visitor.page.get_by_role("button", name="Stop")).to_be_hidden()
    visitor.page.locator("#upload").get_by_role("button", name="Clear").click()
    upload(visitor, "small.csv", row.to_csv(index=False).encode())
    visitor.page.get_by_role("button", name="Predict all rows").click()
    expect(visitor.shown.locator(".preview")).to_contain_text("1 of 1 row")


def test_others_are_answered_while_a_table_is_in_work(
    new_visitor: Callable[..., Visitor], api: Api, wire: Wire, tmp_path: Path
) -> None:
    busy, other = new_visitor().open("flights"), new_visitor().open("churn")
    table = pd.DataFrame([api.example("flights")] * 2_000)
    busy.tab("Many")
    upload(busy, "large.csv", table.to_csv(index=False).encode())
    with wire.held("explain"):
        with wire.asks():
            busy.page.get_by_role("button", name="Predict all rows").click()
        expect(busy.shown.get_by_role("progressbar")).to_be_visible()
        [said] = api.predict("churn", api.example("churn"))
        agrees(other.predict(), said, api.model("churn")["version"])
        expect(busy.shown.locator(".preview")).to_have_count(0)
    expect(busy.shown.locator(".preview")).to_contain_text("2,000 of 2,000 rows", timeout=120_000)

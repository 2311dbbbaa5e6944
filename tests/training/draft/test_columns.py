"""What a draft makes of a column, whatever its texts are like."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from problems.base import Problem
from tests.training.draft.drafting import column, drafted, drafted_from, lines_of
from training.data import gates, ingest
from training.draft import columns
from validation.contract import Kind, Role, Unseen

AFTERNOON = "2023-05-31T13:45"


@pytest.mark.parametrize(
    ("texts", "kind", "parse", "value"),
    [
        (["1", "2", "30"], Kind.INTEGER, "", 1),
        (["1.5", "2", "-30.25"], Kind.REAL, "", 1.5),
        (["1.0", "2.0", "3.0"], Kind.REAL, "", 1),
        (["1.0", "2.0", "", "3.0"], Kind.INTEGER, "", 1),
        (["1e3", "2e-4"], Kind.REAL, "", 1000),
        (["12,5", "1.250,75", "3"], Kind.REAL, "decimal_comma", 12.5),
        (["1,250", "12,345.5", "7.25"], Kind.REAL, "decimal_point", 1250),
        (["1.250,50 €", "3,00 €", "12,75 €"], Kind.REAL, 'number(decimal_comma, unit="€")', 1250.5),
        (["105 m²", "72 m²", "8,5 m²"], Kind.REAL, 'number(decimal_comma, unit="m²")', 105),
        (["12 %", "5%", "7.5 %"], Kind.REAL, 'number(unit="%")', 12),
        (["$1,250.50", "$3", "$17.25"], Kind.REAL, 'number(before="$")', 1250.5),
        (["7", "unknown", *map(str, range(20))], Kind.INTEGER, 'number(absent=("unknown",))', 7),
        (["7", "NA", "8"], Kind.INTEGER, "", 7),
        (["Y", "N"], Kind.FLAG, 'flag(true="Y", false="N")', True),
        (["t", "f", "NA"], Kind.FLAG, 'flag(true="t", false="f")', True),
        (["YES", "no"], Kind.FLAG, "", True),
        (["1", "0"], Kind.FLAG, "", True),
        (["1.0", "0.0", ""], Kind.FLAG, "", True),
        (["ja", "nein"], Kind.FLAG, 'flag(true="ja", false="nein")', True),
        (["2023-05-31", "2022-01-02"], Kind.DATE, "", "2023-05-31"),
        (["31.05.2023", "01.02.2022"], Kind.DATE, 'dates("%d.%m.%Y")', "2023-05-31"),
        (["5/31/2023", "1/2/2022"], Kind.DATE, 'dates("%m/%d/%Y")', "2023-05-31"),
        (["31/05/2023", "01/02/2022"], Kind.DATE, 'dates("%d/%m/%Y")', "2023-05-31"),
        (["31-May-2023", "01-Feb-2022"], Kind.DATE, 'dates("%d-%b-%Y")', "2023-05-31"),
        (["May 31, 2023", "February 1, 2022"], Kind.DATE, 'dates("%B %d, %Y")', "2023-05-31"),
        (["2023/05/31", "2022/02/01"], Kind.DATE, 'dates("%Y/%m/%d")', "2023-05-31"),
        (["20230531", "20220201"], Kind.DATE, 'dates("%Y%m%d")', "2023-05-31"),
        (["31.05.23", "01.02.22"], Kind.DATE, 'dates("%d.%m.%y")', "2023-05-31"),
        (["2023-05-31 13:45:10", "2022-01-02 00:00:00"], Kind.TIMESTAMP, "", "2023-05-31T13:45:10"),
        (["31.05.2023 13:45", "01.02.2022 07:05"], Kind.TIMESTAMP, 'timestamps("%d.%m.%Y %H:%M")', AFTERNOON),
        (
            ["5/31/2023 1:45 PM", "1/2/2022 7:05 AM"],
            Kind.TIMESTAMP,
            'timestamps("%m/%d/%Y %I:%M %p")',
            "2023-05-31T13:45",
        ),
        (["Oslo", "Rome", "Bern"], Kind.CATEGORY, "", "Oslo"),
        (["007", "012", "100"], Kind.CATEGORY, "", "007"),
        (["room 5", "room 7"], Kind.CATEGORY, "", "room 5"),
        (["Oslo", "NA", "Rome"], Kind.CATEGORY, 'names(absent=("NA",))', "Oslo"),
        (["10-20", "20-30", "30-40"], Kind.CATEGORY, "", "10-20"),
        (["12:30", "07:15"], Kind.CATEGORY, "", "12:30"),
    ],
)
def test_the_kind_of_a_column(here: Path, texts: list[str], kind: Kind, parse: str, value: Any) -> None:
    rows = [texts[place % len(texts)] for place in range(max(200, 10 * len(texts)))]
    found, problem, table = drafted({"x": rows})
    assert column(problem, "x").kind is kind
    assert f"parse={parse}" in found if parse else "parse=" not in found
    cell = ingest.read(table, problem.contract)["x"].iloc[0]
    assert cell == (pd.Timestamp(value) if kind in (Kind.DATE, Kind.TIMESTAMP) else value)
    assert ingest.read(table, problem.contract)[gates.UNREADABLE].isna().all()
    assert problem.contract.example()["x"] is not None


def test_a_day_that_may_be_two_is_a_doubt(here: Path) -> None:
    mixed = ["01/02/2023", "03/04/2023", "02/01/2023"] * 70
    found, _, _ = drafted({"x": mixed})
    said = " ".join(found.replace("# ", "").split())
    assert "'01/02/2023' may be of two days; it is read as %m/%d/%Y, as most such tables have it. The other" in said
    found, _, _ = drafted({"x": mixed, "z": ["31/01/2023", "03/04/2022", "02/01/2023"] * 70})
    assert found.count('dates("%d/%m/%Y")') == 2
    assert "as the rest of the table has it" in found
    in_order = [f"{day:02}/{month:02}/2023" for month in range(1, 13) for day in range(1, 13)]
    found, _, _ = drafted({"x": in_order})
    assert "by which the rows are in order" in found
    assert 'dates("%d/%m/%Y")' in found


def test_numbers_that_may_be_two_are_a_doubt(here: Path) -> None:
    found, problem, table = drafted({"x": ["45.485", "1.250", "3.125"] * 70})
    assert "parse=decimal_point" in found
    assert "'45.485' is read as 45.485; if that is wrong, its notation is `decimal_comma`" in found
    assert ingest.read(table, problem.contract)["x"].iloc[0] == 45.485


@pytest.mark.parametrize("strays", [[], ["unknown"]], ids=["plain", "with a text"])
def test_numbers_that_may_be_two_are_as_those_of_the_other_columns(here: Path, strays: list[str]) -> None:
    """757 km and 1.700 km, in a table of decimal commas."""
    texts = (["757", "1.700", *(f"{number}.125" for number in range(2, 15))] * 14 + strays * 10)[-210:]
    whole = list(range(210))
    found, problem, table = drafted({"x": texts, "y": ["2.070,99 €", "15,20 €", "7,50 €"] * 70, "price": whole})
    said = " ".join(found.replace("# ", "").split())
    assert "as the table's other columns write numbers; if that is wrong, its notation is `decimal_point`" in said
    assert 1_700 in ingest.read(table, problem.contract)["x"].tolist()
    found, problem, table = drafted(
        {"x": texts, "y": ["2.070,99 €", "3,5 €"] * 105, "z": ["1.5", "2.25"] * 105, "price": whole}
    )
    assert 1.7 in ingest.read(table, problem.contract)["x"].tolist()


def test_a_word_for_missing_and_a_few_bad_cells_are_both_told(here: Path) -> None:
    weights = [f"{place / 10:.1f} kg".replace(".", ",") for place in range(100, 370)]
    odd = [f"{grams} g" for grams in (11910, 12251, 9870, 14120)]
    found, problem, _ = drafted({"x": weights + ["k.A."] * 326 + odd + weights})
    assert column(problem, "x").kind is Kind.REAL
    assert 'absent=("k.A.",)' in found
    said = " ".join(found.replace("# ", "").split())
    assert "'k.A.' is taken for a missing number" in said
    assert "4 rows have no number, as '11910 g': they go to quarantine" in said


def test_names_that_differ_by_case_are_one_before_they_are_counted(here: Path) -> None:
    rare = ["rare", "Rare", "RARE", "rarE"] + ["usual"] * 8
    codes = [f"{'Aa'[place % 2]}{place // 2}x" for place in range(210)]
    keys = [f"{'Aa'[place % 2]}{place}x" for place in range(208)] + ["a0x", "A1x"]
    found, problem, _ = drafted(
        {"state": ["neu", "neu", "Neu"] * 70, "kind": (rare * 18)[:210], "code": codes, "key": keys}
    )
    said = " ".join(found.replace("# ", "").split())
    assert "every row has one name: 'neu' (140 rows) and 'Neu' (70 rows) differ by case alone" in said
    assert "state" not in {each.name for each in problem.contract.columns}
    assert column(problem, "kind").choices == ("rare", "usual")
    assert (column(problem, "code").role, column(problem, "code").choices) == (Role.FEATURE, None)
    assert (column(problem, "key").role, column(problem, "key").parse) == (Role.KEY, None)


def test_what_a_model_cannot_use_is_left_out_or_a_key(here: Path) -> None:
    chance = np.random.default_rng(0)
    texts = [" ".join(chance.choice(["good", "bad", "view", "street"], 20)) for _ in range(200)]
    found, problem, _ = drafted(
        {
            "": range(200),
            "user_id": chance.permutation(200) + 5_000,
            "town": ["Oslo"] * 200,
            "nothing": [""] * 200,
            "unknown": ["?", ""] * 100,
            "a": ["x", "y", "z", "w"] * 50,
            "A again": ["x", "y", "z", "w"] * 50,
            "words": texts,
            "person": [f"p{place}q" for place in range(200)],
            "measured": chance.permutation(200),
        }
    )
    roles = {each.name: each.role for each in problem.contract.columns}
    assert roles == {
        "unnamed_0": Role.KEY,
        "user_id": Role.KEY,
        "a": Role.FEATURE,
        "person": Role.KEY,
        "measured": Role.FEATURE,
        "price": Role.TARGET,
    }
    for sentence in (
        "'town' is left out: every row has 'Oslo'",
        "'nothing' is left out: it has no values",
        "'unknown' is left out: it has no values",
        "'A again' is left out: every row has what 'a' has",
        "'words' is left out: it holds texts, not names",
        "no two rows have the same",
    ):
        assert sentence in found


def test_few_names_are_choices_and_many_are_learned(here: Path) -> None:
    few = ["b", "a"] * 100
    rare = [*["b", "a"] * 99, "c", "d"]
    many = [f"name {place % 40}" for place in range(200)]
    _, problem, _ = drafted({"few": few, "rare": rare, "many": many})
    assert column(problem, "few").choices == ("a", "b")
    assert column(problem, "few").unseen is None
    for name in ("rare", "many"):
        assert column(problem, name).choices is None
        assert column(problem, name).unseen is Unseen.WARN
    assert column(problem, "rare").example in ("a", "b")  # and no name of a single row


def test_names_that_differ_by_case_are_one_and_a_doubt(here: Path) -> None:
    states = ["neu", "Neu", "wie neu", "WIE NEU", "wie neu", "WIE NEU", "weiß", "Weiss", "?!"] * 25
    found, problem, table = drafted({"zustand": states, "modell": [f"Typ {place % 40}" for place in range(225)]})
    said = " ".join(found.replace("# ", "").split())
    assert "'wie neu' (50 rows) and 'WIE NEU' (50 rows) are taken for one name, as are others that differ by" in said
    assert "if not, drop `lower=True`" in said
    assert column(problem, "zustand").choices == ("?!", "neu", "weiss", "wie neu")
    assert column(problem, "modell").parse is None
    cells = ingest.read(table, problem.contract)["zustand"]
    assert set(cells) == {"?!", "neu", "weiss", "wie neu"}
    assert found.count("lower=True") == 2


def test_a_column_of_very_many_names_is_left_out(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_MOST_NAMES", 90)
    found, _, _ = drafted({"x": [*range(100)] * 2, "many": [f"name {place % 100}" for place in range(200)]})
    assert "'many' is left out: it has 100 names; a draft takes at most 90" in found


def test_headers_become_names(here: Path) -> None:
    headers = ["Größe (m²)", "grosse_m2", "2. Zimmer", "İl/ılçe", "class", "priceUSD", "面积", "a" * 90]
    _, problem, _ = drafted(
        {header: np.random.default_rng(place).normal(size=200) for place, header in enumerate(headers)}
    )
    assert [each.name for each in problem.contract.inputs] == [
        *("grosse_m2", "grosse_m2_2", "column_2_zimmer", "il_ilce", "class", "price_usd", "column_7", "a" * 63)
    ]
    assert [each.source for each in problem.contract.inputs] == headers


@pytest.mark.parametrize("form", ["parquet", "feather", "jsonl", "xlsx"])
def test_a_typed_file_is_drafted_as_its_csv_file_is(here: Path, form: str) -> None:
    chance = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "city": chance.choice(["Oslo", "Rome"], 200),
            "rooms": chance.integers(1, 9, 200),
            "area": chance.normal(100, 10, 200).round(2),
            "new": chance.choice([True, False], 200),
            "price": chance.normal(100, 10, 200).round(2),
        }
    )
    table.loc[3:9, "city"] = None
    plain = _contract(drafted_from(lines_of(table)))
    match form:
        case "parquet":
            table.to_parquet("table.parquet")
        case "feather":
            table.to_feather("table.feather")
        case "jsonl":
            table.to_json("table.jsonl", orient="records", lines=True)
        case "xlsx":
            table.to_excel("table.xlsx", index=False)
    assert _contract(drafted_from(Path(f"table.{form}"))) == plain


def _contract(problem: Problem) -> dict[str, str]:
    return {each.name: each.kind.value for each in problem.contract.columns}

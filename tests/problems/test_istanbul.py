"""Istanbul's table as its site wrote it: Turkish headers, padded texts, and rows whose cells are shifted."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from problems import base
from problems.base import Problem, owners
from training.data import gates, ingest, tables
from validation.names import normal

HEADERS = [
    *("İlan_Numarası", "İlan_Güncelleme_Tarihi", "Brüt_Metrekare", "Binanın_Yaşı", "Binanın_Kat_Sayısı"),
    *("Kullanım_Durumu", "Eşya_Durumu", "Banyo_Sayısı", "Net_Metrekare", "Oda_Sayısı", "Bulunduğu_Kat", "Isıtma_Tipi"),
    *("Krediye_Uygunluk", "Fiyatı", "İlçe", "Mahalle", "yaka", "Yaşam_endeksi", "Nüfus"),
]
FLAT = dict(
    zip(
        HEADERS,
        [
            *("2003", "02 Şubat 2022 ", "190", "5-10 ", "20", "Kiracı Oturuyor ", "Yok", "2 ", "168", "4+1 "),
            *("1. Kat ", "Klimalı ", "KREDIYE UYGUN ", "18000000", " Beşiktaş ", " Nisbetiye Mahallesi "),
            *("Avrupa Yakası", "0.911", "178.938"),
        ],
        strict=True,
    )
)


@pytest.fixture(scope="module")
def istanbul() -> Problem:
    return base.load("istanbul")


def read(problem: Problem, folder: Path, *changes: dict[str, str]) -> tuple[list[dict[Any, Any]], list[str]]:
    """Rows of the table as bronze has them, and why cells could not be read."""
    path = folder / "table.csv"
    lines = [",".join(({**FLAT, **change}).values()) for change in changes]
    path.write_text("\n".join([",".join(HEADERS), *lines]))
    table = ingest.read(path, problem.contract)
    return table.to_dict("records"), table[gates.UNREADABLE].dropna().tolist()


def test_padded_texts_and_numbers_of_rooms(istanbul: Problem, tmp_path: Path) -> None:
    written = ["4+1 ", "3.5+1 ", "8+ Oda ", "1 Oda ", "Stüdyo "]
    rows, unreadable = read(istanbul, tmp_path, *({"Oda_Sayısı": text} for text in written))
    assert not unreadable
    assert [row["rooms"] for row in rows] == [5, 4.5, 8, 1, 1]
    assert rows[0]["district"] == "Beşiktaş"
    assert rows[0]["neighbourhood"] == "Nisbetiye Mahallesi"
    assert rows[0]["population"] == 178.938
    assert rows[0]["furnished"] is False


def test_bathrooms_and_the_cells_of_shifted_rows(istanbul: Problem, tmp_path: Path) -> None:
    rows, unreadable = read(istanbul, tmp_path, *({"Banyo_Sayısı": text} for text in ("2 ", "6+ ", "Yok ", "Var ")))
    assert not unreadable
    assert [row["bathrooms"] for row in rows[:3]] == [2, 6, 0]
    assert pd.isna(rows[3]["bathrooms"])
    _, unreadable = read(istanbul, tmp_path, {"Banyo_Sayısı": "Genel Fiyat "}, {"Banyo_Sayısı": "28 M2 "})
    assert len(unreadable) == 2


def test_features_of_the_table_belong_to_its_columns(istanbul: Problem) -> None:
    row = istanbul.contract.example()
    columns = {
        column.name: np.array([row[column.name]], dtype=object if isinstance(row[column.name], str) else float)
        for column in istanbul.contract.inputs
    }
    features = istanbul.features(columns, {})
    made = [owners(name) for name in features if "." in name]
    assert made == [("district", "heating"), ("district", "floor"), ("net_area", "gross_area"), ("net_area", "rooms")]
    assert features["net_area+rooms.ratio"].tolist() == [95 / 4]


@pytest.mark.realdata
def test_of_the_real_table_only_the_shifted_rows_are_refused(istanbul: Problem, real_tables: Path) -> None:
    [path] = (real_tables / "istanbul_housing").glob("*.csv")
    table = ingest.read(path, istanbul.contract)
    assert len(table) == 2_983
    refused = table[gates.UNREADABLE].notna() | (table["bathrooms"] > 10)
    assert refused.sum() == 22
    silver = table[~refused]
    for column in istanbul.contract.categories:
        names = set(silver[column.name])
        assert names == {normal(name) for name in names}
        assert column.choices is None or names <= set(column.choices)
    assert len(tables.inputs(istanbul.contract, silver)) == len(istanbul.contract.inputs)

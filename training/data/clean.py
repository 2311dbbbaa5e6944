"""Bronze → silver: the rows that satisfy the contract; all others go to quarantine, each with its reasons."""

from typing import Annotated, NamedTuple

import msgspec
import pandas as pd
from pandera.errors import SchemaErrors

from problems.base import Problem
from training.data import gates, tables
from training.workspace import Workspace, atomic_file, counted, say
from validation.contract import Column, Contract, Kind, Role
from validation.errors import TableError
from validation.values import ABOVE, BELOW

ROW, REASON = "_row", "_reason"
"""The columns that quarantine adds to the contract's; no column of a contract can have such a name."""
_MOST_COLUMNS = 30
_BOUNDS = {BELOW: "ge", ABOVE: "le"}
"""How a value out of bounds is told, and the argument that says the bound."""
_UNREADABLE, _REFUSED = "unreadable", "refused"


class CleanParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`quarantine_limit`: the share of rows that may fail before the run stops."""

    quarantine_limit: Annotated[float, msgspec.Meta(ge=0, le=1)]


def main(problem: Problem) -> None:
    """Put the gate between bronze and silver; raises TableError if more rows fail than the limit allows."""
    workspace = Workspace(problem.name)
    limit = workspace.params("clean", CleanParams).quarantine_limit
    bronze = tables.read(workspace.bronze)
    known = with_target(problem, bronze)
    if known.empty:
        raise TableError(no_target(problem))
    if len(known) < len(bronze):
        left_out = counted(len(bronze) - len(known), "row")
        say("clean", f"{left_out} without a {problem.contract.target.name} left out")
    silver, quarantined, failures = gated(problem, known)
    with atomic_file(workspace.quarantine) as temporary:
        quarantined.to_csv(temporary, index=False)
    demand_few(workspace, limit, quarantined, len(quarantined), len(known), by_column(problem.contract, failures))
    tables.write(workspace.silver, silver)
    say("clean", f"{len(silver):,} rows satisfy the contract, {len(quarantined):,} are in {workspace.quarantine}")
    if len(quarantined):
        print(by_column(problem.contract, failures), flush=True)


class Gated(NamedTuple):
    """The rows that satisfy the contract; the others, with `ROW` and `REASON` before their cells; and why, by cell.

    `failures` has a line for each bad cell: `row` (by the table's index), `column`, `reason`, and `kind`.
    """

    silver: pd.DataFrame
    quarantined: pd.DataFrame
    failures: pd.DataFrame


def gated(problem: Problem, bronze: pd.DataFrame) -> Gated:
    """Put rows of bronze through the gate, those of a whole table or of a part of it; `bronze` itself is changed."""
    places = bronze.pop(gates.LABELLED) if gates.LABELLED in bronze else None
    failures = _failures(problem.contract, bronze)
    if places is not None:
        failures = _without_keys(problem.contract, failures, places)
    sentences = failures["column"] + ": " + failures["reason"]
    reasons = sentences.groupby(failures["row"]).agg("; ".join)
    quarantined = bronze.loc[reasons.index].drop(columns=gates.UNREADABLE)
    quarantined.insert(0, ROW, reasons.index + 1)
    quarantined.insert(1, REASON, reasons)
    for column in problem.contract.columns:
        if column.kind is Kind.INTEGER and column.name in quarantined:
            quarantined[column.name] = _whole(quarantined[column.name])
    silver = bronze.drop(index=reasons.index, columns=gates.UNREADABLE).reset_index(drop=True)
    # bronze holds integers as floats because cells may be missing; in silver these columns have no missing cell
    whole = [column.name for column in problem.contract.columns if column.kind is Kind.INTEGER and not column.nullable]
    silver = silver.astype({name: "int64" for name in whole if name in silver and silver[name].notna().all()})
    if places is not None:
        silver[gates.LABELLED] = places.drop(index=reasons.index).to_numpy()
    return Gated(silver, quarantined, failures)


def demand_few(workspace: Workspace, limit: float, quarantined: pd.DataFrame, bad: int, rows: int, why: str) -> None:
    """Raise TableError, with the lines of `why`, if more rows are bad than the limit allows, or all of them."""
    stand = "All" if len(quarantined) == bad else f"{len(quarantined):,}"
    if bad > limit * rows or bad == rows:
        raise TableError(
            f"{bad:,} of {rows:,} rows do not satisfy the contract; the limit is {limit:.1%}:\n{why}\n"
            f"{stand} of them stand in {workspace.quarantine}. Mend the table or the contract, or raise "
            f"{workspace.problem}.clean.quarantine_limit in params.yaml."
        )


def _without_keys(contract: Contract, failures: pd.DataFrame, places: pd.Series) -> pd.DataFrame:
    """What is wrong with rows besides keys that labelled ones lack: callers may leave them out."""
    keys = [column.name for column in contract.keys]
    lacking = failures["column"].isin(keys) & (failures["reason"] == gates.MISSING)
    return failures[~(lacking & places.reindex(failures["row"]).notna().to_numpy())]


def with_target(problem: Problem, bronze: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a target, of a table that is partly labelled; one that could not be read stays a mistake."""
    if not problem.partly_labelled:
        return bronze
    target = problem.contract.target.name
    noted = bronze[gates.UNREADABLE].fillna("").str.contains(f'"{target}":', regex=False)
    return bronze[bronze[target].notna() | noted]


def no_target(problem: Problem) -> str:
    """What is said of a table in which no row has a target."""
    return f"No row has a {problem.contract.target.name}. Bring a table in which some have one."


def _whole(cells: pd.Series) -> pd.Series:
    """Integers without a decimal point, as they stand in the raw table; bronze holds them as floats."""
    whole = [int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in cells]
    return pd.Series(whole, index=cells.index, dtype="object")


def _failures(contract: Contract, bronze: pd.DataFrame) -> pd.DataFrame:
    """One line per bad cell: `row` (by the table's index), `column`, `reason`, and `kind` (unreadable or refused)."""
    unreadable = bronze[gates.UNREADABLE].dropna()
    lines = [
        (row, column, reason, _UNREADABLE)
        for row, noted in unreadable.items()
        for column, reason in msgspec.json.decode(noted, type=dict[str, str]).items()
    ]
    table = pd.DataFrame(lines, columns=["row", "column", "reason", "kind"])
    try:
        gates.silver(contract).validate(bronze.drop(columns=gates.UNREADABLE), lazy=True)
    except SchemaErrors as errors:
        table = pd.concat([table, gates.failures(contract, errors).assign(kind=_REFUSED)])
    # an unreadable cell is null in bronze too: of its two reasons the first one stays
    table = table.drop_duplicates(["row", "column"])
    return table.sort_values("row", kind="stable", ignore_index=True)


def by_column(contract: Contract, failures: pd.DataFrame, counts: pd.Series | None = None) -> str:
    """A line for each bad column, the worst first: how many rows, an example, and what would mend it.

    Args:
        contract: whose columns they are.
        failures: as `Gated` has them.
        counts: how many rows each bad column has, where `failures` are only some of them.
    """
    columns = {column.name: column for column in contract.columns}
    counts = failures.groupby("column")["row"].nunique() if counts is None else counts
    counts = counts.sort_values(ascending=False, kind="stable")
    lines = []
    for name, rows in counts.head(_MOST_COLUMNS).items():
        of_column = failures[failures["column"] == name]
        example = of_column[of_column["reason"] == of_column["reason"].mode()[0]].iloc[0]
        what = f"{name} (the target)" if name == contract.target.name else str(name)
        line = f"  {what}: {counted(rows, 'row')}, for example row {example['row'] + 1}: {example['reason']}"
        remedy = _remedy(columns[str(name)], example["reason"], example["kind"])
        lines.append(f"{line}; {remedy}" if remedy else line)
    if len(counts) > _MOST_COLUMNS:
        lines.append(f"  and {counted(len(counts) - _MOST_COLUMNS, 'more column')}")
    return "\n".join(lines)


def _remedy(column: Column, reason: str, kind: str) -> str:
    """How to change the contract if such cells are valid; empty if nothing can be suggested."""
    if reason == gates.MISSING:
        required = column.role in (Role.TARGET, Role.TIME)
        return "" if required else "if it may be missing, the column is nullable=True"
    for words, argument in _BOUNDS.items():
        if f" {words} " in reason:
            return f"if such values are right, its {argument}= has to allow them"
    if kind == _UNREADABLE:
        needs = "its parse= has to read it" if column.parse else "the column needs a parse= that reads it"
        return f"if it is a value, {needs}"
    if column.kind is Kind.CATEGORY and column.choices is not None:
        alike = [choice for choice in column.choices if repr(choice).casefold() in reason.casefold()]
        if alike:
            return f"if it is {alike[0]!r} in other letters, the column needs a parse= that makes it so, like str.lower"
        return "if it is a value, it is lacking in choices="
    return ""

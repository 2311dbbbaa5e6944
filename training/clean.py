"""Bronze → silver: the rows that satisfy the contract; the others go to quarantine with the reason beside them."""

from typing import Annotated

import msgspec
import pandas as pd
from pandera.errors import SchemaErrors

from problems.base import Problem
from training import tables
from training.workspace import Workspace, say, whole_file
from validation import gates
from validation.contract import Contract
from validation.errors import TableError


class CleanParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`quarantine_limit`: the share of rows that may fail before the run stops."""

    quarantine_limit: Annotated[float, msgspec.Meta(ge=0, le=1)]


def main(problem: Problem) -> None:
    """Put the gate between bronze and silver; raises TableError if more rows fail than the limit allows."""
    workspace = Workspace(problem.name)
    limit = workspace.params("clean", CleanParams).quarantine_limit
    bronze = tables.read(workspace.bronze)
    reasons = _reasons(problem.contract, bronze)
    quarantined = bronze.loc[reasons.index].drop(columns=gates.UNREADABLE)
    quarantined.insert(0, "row", reasons.index + 1)
    quarantined.insert(1, "reason", reasons)
    with whole_file(workspace.quarantine) as temporary:
        quarantined.to_csv(temporary, index=False)
    _check_limit(workspace, reasons, len(bronze), limit)
    silver = bronze.drop(index=reasons.index, columns=gates.UNREADABLE).reset_index(drop=True)
    tables.write(workspace.silver, silver)
    say("clean", f"{len(silver):,} rows satisfy the contract, {len(reasons):,} are in {workspace.quarantine}")


def _reasons(contract: Contract, bronze: pd.DataFrame) -> pd.Series:
    unreadable = bronze[gates.UNREADABLE].dropna()
    readable = bronze.drop(index=unreadable.index, columns=gates.UNREADABLE)
    failed = pd.Series(dtype="str")
    try:
        gates.silver(contract).validate(readable, lazy=True)
    except SchemaErrors as errors:
        failed = gates.reasons(contract, errors)
    reasons: pd.Series = pd.concat([unreadable, failed]).sort_index()
    return reasons


def _check_limit(workspace: Workspace, reasons: pd.Series, total: int, limit: float) -> None:
    if len(reasons) <= limit * total and len(reasons) < total:
        return
    columns = reasons.str.split(":", n=1).str[0].value_counts()
    worst = []
    for column in columns.index[:3]:
        example = reasons[reasons.str.startswith(f"{column}:")].iloc[0].split(";")[0]
        worst.append(f"{columns[column]:,} in {example}")
    raise TableError(
        f"{len(reasons):,} of {total:,} rows do not satisfy the contract; the limit is {limit:.1%}. "
        f"Worst: {' | '.join(worst)}. All of them stand in {workspace.quarantine}. Mend the table, or raise "
        f"{workspace.problem}.clean.quarantine_limit in params.yaml."
    )

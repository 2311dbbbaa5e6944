"""The contract as a Markdown table, for the documentation and for whoever asks."""

from problems.base import Problem
from validation.contract import Column, Kind, Role

_HEADS = ("column", "raw header", "kind", "role", "values", "meaning")


def main(problem: Problem) -> None:
    """Print the table."""
    print(table(problem))


def table(problem: Problem) -> str:
    """A line a column."""
    rows = [_HEADS, ("---",) * len(_HEADS), *(_cells(column) for column in problem.contract.columns)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _cells(column: Column) -> tuple[str, ...]:
    return (f"`{column.name}`", f"`{column.source}`", column.kind, column.role, _values(column), column.help)


def _values(column: Column) -> str:
    bounds = [
        f"{sign} {bound:g}{' ' + column.unit if column.unit else ''}"
        for sign, bound in (("≥", column.ge), ("≤", column.le))
        if bound is not None
    ]
    if column.bins is not None:
        bounds.append(
            f"{', '.join(column.bins.labels)}: cut at the quantiles {', '.join(map(str, column.bins.quantiles))}"
        )
    if column.choices is not None:
        bounds.append(", ".join(column.choices))
    if column.kind is Kind.CATEGORY and column.role not in (Role.KEY, Role.FORBIDDEN):
        bounds += ["learned in training"] if column.choices is None else []
        bounds.append(f"others: {column.when_unseen(0)}")
    if column.nullable:
        bounds.append("may be missing")
    return "; ".join(bounds) or "any"

"""The page on a table: one file, which loads nothing and runs no script."""

import html as escaping
import re
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from model import psi
from model.metrics import Tie
from training.draft import draft
from training.evaluation import pairs
from training.exploring import apart, columns, pictures, refused, relation, suspects
from training.exploring.looked import Looked
from training.learning.metrics import sample
from training.learning.privacy import FEWEST
from training.workspace import counted

MOST_ROWS = 200_000
"""Distributions, relations and drift are those of a sample of so many rows; counts are of all."""
MOST_PORTRAITS, MOST_LISTED = 80, 500
_TOLD = 3
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Finding:
    """A sentence of the summary, and the part of the page that has more."""

    sentence: str
    where: str
    bad: bool = False


def html(looked: Looked, *, examples: bool = True) -> str:
    """The page of a table.

    Args:
        looked: the table.
        examples: whether cells of refused rows are shown, as training prints them; not where the page is published.
    """
    shown = looked.shown
    rows = shown.iloc[sample(len(shown), MOST_ROWS)]
    inputs = [column.name for column in looked.problem.contract.inputs]
    both = [*inputs, looked.problem.contract.target.name]
    suspected = list(dict.fromkeys(suspects.find(looked)))
    told = {**_columns(looked, rows), **_splits(looked)}
    return _templates.get_template("page.html.jinja").render(
        looked=looked,
        contract=looked.problem.contract,
        rows=len(rows),
        of=len(shown),
        refusals=refused.counted(looked),
        examples=refused.examples(looked) if examples else [],
        doubles=(int(shown.duplicated(both).sum()), int(shown.duplicated(inputs).sum())),
        suspected=suspected,
        unread=suspects.unread(looked),
        doubts=draft.doubted(looked.draft) if looked.drafted and looked.draft is not None else [],
        findings=_findings(looked, told["portraits"], told["pairs"], told["drifts"], suspected),
        fewest=FEWEST,
        width=pictures.WIDTH,
        said=columns.said,
        **told,
    )


def _columns(looked: Looked, rows: pd.DataFrame) -> dict[str, Any]:
    """What the template says of columns, of the rows that are shown."""
    target = relation.target(looked.problem, rows)
    portraits = columns.portraits(looked, rows, target)
    order = [portrait.column.name for portrait in portraits]
    return {
        "target": target,
        "lines": columns.lines(looked)[:MOST_LISTED],
        "portraits": portraits[:MOST_PORTRAITS],
        "left": len(portraits) - MOST_PORTRAITS,
        "of_target": columns.of_target(looked, rows),
        "pairs": pairs.strongest(looked.problem.contract, rows, order),
    }


def _splits(looked: Looked) -> dict[str, Any]:
    """What the template says of splits; nothing of a table that comes to none."""
    labels, silver = looked.cut.labels, looked.gated.silver
    if labels is None:
        return {"splits": [], "whole": None, "drifts": [], "much": psi.MUCH}
    whole = relation.target(looked.problem, silver)
    some = silver.index[sample(len(silver), MOST_ROWS)]
    return {
        "splits": apart.splits(looked.problem, silver, labels, whole),
        "whole": whole,
        "drifts": apart.drift(looked.problem, silver.loc[some], labels.loc[some]),
        "much": psi.MUCH,
    }


def _findings(
    looked: Looked,
    portraits: list[columns.Portrait],
    strong: list[Tie],
    drifts: list[apart.Drift],
    suspected: list[str],
) -> list[Finding]:
    """What a person should know who reads no further."""
    found = [_gate(looked)]
    if looked.cut.labels is None:
        found.append(Finding(f"The table comes to no split: {looked.cut.how}", "splits", bad=True))
    telling = [portrait for portrait in portraits if portrait.told][:_TOLD]
    if telling:
        named = ", ".join(f"`{each.column.name}` ({each.told:.0%})" for each in telling)
        what = looked.problem.contract.target.name
        found.append(Finding(f"Most of `{what}` is told, each by itself, by {named}.", "columns"))
    if strong:
        pair = strong[0]
        same = f"`{pair.one}` and `{pair.other}` ({pair.measure} {pair.size:.2f})"
        found.append(Finding(f"The columns that say most of each other are {same}.", "pairs"))
    moved = [each.column for each in drifts if each.much]
    if moved:
        named = ", ".join(f"`{name}`" for name in moved[:_TOLD])
        more = f" and {len(moved) - _TOLD} more" if len(moved) > _TOLD else ""
        found.append(Finding(f"The splits differ much in {named}{more}.", "drift", bad=True))
    if suspected:
        found.append(Finding(f"{counted(len(suspected), 'thing')} to look into before a model learns.", "suspects"))
    return found


def _gate(looked: Looked) -> Finding:
    rows, bad = len(looked.bronze), looked.refused
    if not bad:
        return Finding(f"All {rows:,} rows satisfy the contract.", "quarantine")
    share = f"{bad:,} of {rows:,} rows ({bad / rows:.1%}) do not satisfy the contract"
    if looked.stops:
        return Finding(f"{share}; the limit is {looked.limit:.1%}: training stops at the gate.", "quarantine", bad=True)
    return Finding(f"{share}; they go to quarantine, and training goes on without them.", "quarantine")


def marked(text: str) -> Markup:
    """A sentence with the names between backticks as code; all else in it stays text."""
    return Markup(_CODE.sub(r"<code>\1</code>", escaping.escape(text)))  # noqa: S704 it is escaped


def percent(share: float | None) -> str:
    """A share; what is not zero is not shown as zero, and what is not all not as all."""
    if share is None:
        return "\N{EN DASH}"
    if 0 < share < 0.001:
        return "< 0.1%"
    return "> 99.9%" if 0.999 < share < 1 else f"{share:.1%}".replace(".0%", "%")


_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("training.exploring"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {"percent": percent, "marked": marked}

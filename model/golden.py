"""Golden rows: a model proves, before it takes traffic, that it still answers as it did in training."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from model.bundle import Bundle, Golden
from model.predictor import Predictor
from validation.decode_columns import FEW
from validation.errors import BundleError, RowsRejected
from validation.table import Table, Values

PREDICTED, EXPLAINED = 1e-9, 1e-6
"""How far scores and contributions may be from what was recorded, relatively.

Sums of doubles may differ in their last bits between processors, answers may not.
"""


def record(predictor: Predictor, rows: Sequence[dict[str, Any]]) -> tuple[Golden, list[float]]:
    """The answers that `rows` get from this model, to be kept in its bundle, and the base values of its SHAP values."""
    inputs = predictor.decode(rows).raise_if_rejected().inputs
    explained = predictor.explanations(inputs)
    golden = Golden(
        rows=list(rows),
        scores=predictor.scores(inputs).tolist(),
        contributions=[answer.contributions for answer in explained],
    )
    return golden, predictor.base_values(predictor.decode(rows[:1]).inputs) if rows else []


def replay(predictor: Predictor, bundle: Bundle) -> None:
    """Ask the golden rows of a bundle again, through the decoding that requests take.

    Raises:
        BundleError: a row is refused, or its prediction or explanation or the base value is another.
    """
    golden = bundle.golden
    rows = msgspec.json.decode(msgspec.json.encode(golden.rows))
    if not rows:
        raise BundleError(f"The bundle of '{predictor.name}' has no golden rows to prove it. Train again.")
    try:
        answers, base_values = record(predictor, rows)
    except RowsRejected as error:
        raise BundleError(_message(predictor, error.errors[0].row, error.errors[0].message)) from error
    _replay_columns(predictor, rows, answers)
    if len(golden.scores) != len(rows) or len(golden.contributions) != len(rows):
        raise BundleError(_message(predictor, len(rows), "the recorded answers are incomplete"))
    expected_base = bundle.manifest.base_values
    if len(base_values) != len(expected_base) or not np.allclose(base_values, expected_base, rtol=PREDICTED, atol=0):
        raise BundleError(_message(predictor, 0, f"the base values are {base_values!r}"))
    largest_base = max(map(abs, base_values))
    for row, (expected, scores) in enumerate(zip(golden.scores, answers.scores, strict=True)):
        if len(scores) != len(expected) or not np.allclose(scores, expected, rtol=PREDICTED, atol=PREDICTED):
            raise BundleError(_message(predictor, row, f"expected {expected!r}, got {scores!r}"))
        total = largest_base + sum(map(abs, golden.contributions[row].values()))
        for column, share in golden.contributions[row].items():
            got = answers.contributions[row].get(column, np.nan)
            if not np.isclose(got, share, rtol=EXPLAINED, atol=EXPLAINED * total + PREDICTED):
                raise BundleError(_message(predictor, row, f"'{column}' contributes {got!r} instead of {share!r}"))


def _replay_columns(predictor: Predictor, rows: Sequence[dict[str, Any]], answers: Golden) -> None:
    """Ask the same rows as a table of typed columns, with as many copies as are read by columns; raises BundleError."""
    copies = FEW // len(rows) + 1
    names = [name for name in rows[0] if all(name in row for row in rows)]
    columns = {name: _typed([row[name] for row in rows] * copies) for name in names}
    decoded = predictor.decode(Table(columns, len(rows) * copies))
    scores = predictor.scores(decoded.inputs).tolist()
    if decoded.error_count or scores != answers.scores * copies:
        raise BundleError(_message(predictor, 0, "as a table it gets another answer"))


def _typed(values: list[Any]) -> Values:
    """Numbers as an array, as tensors bring them; others as they are."""
    return np.array(values) if all(type(value) is float for value in values) else values


def _message(predictor: Predictor, row: int, what: str) -> str:
    return (
        f"The model '{predictor.name}' {predictor.version} does not answer as it did in training: golden row {row}: "
        f"{what}. Do not serve it; train again or go back to an earlier version."
    )

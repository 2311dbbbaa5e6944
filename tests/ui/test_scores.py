"""What the Model tab says of metrics: in words, in one sentence, and what follows from the counts at a threshold."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model.standing import HEADS
from ui import decisions, pictures, scores
from ui.described import Column, Model
from ui.views import base
from ui.views import model as view_of_model

COUNTS = st.integers(0, 5_000)
TARGET = Column(name="y", kind="real", role="target", unit="USD")


def judged(beats: bool, **losses: float) -> Model:
    by = {who: {"rmse": {"value": loss, "low": loss, "high": loss}} for who, loss in losses.items()}
    metrics: dict[str, Any] = {
        "rows": 100,
        "unit": "USD",
        "scores": by,
        "beats_lookup": beats,
        "loss": {"name": "rmse"},
    }
    return Model(name="m", version="1", title="M", contract=(TARGET,), metrics=metrics)


def test_every_metric_has_its_name_and_a_line_of_words() -> None:
    for name, head in HEADS.items():
        meaning = scores.meaning(name, "USD")
        assert meaning is not None, name
        assert meaning.head == scores.head(name) == head
        assert "better" in meaning.better
    assert "in USD" in scores.meaning("rmse", "USD").words  # type: ignore[union-attr]
    assert "USD" not in scores.meaning("r2", "USD").words  # type: ignore[union-attr]
    assert scores.meaning("of_tomorrow", None) is None
    assert scores.head("of_tomorrow") == "of tomorrow"
    assert [scores.written("ece", value) for value in (3e-17, 0.06)] == ["0", "0.06"]


def test_a_model_that_does_not_beat_the_lookup_is_said_to_be_left_in_large() -> None:
    worse = judged(beats=False, model=12.0, lookup=10.0)
    said = scores.verdict(worse)
    assert said is not None
    assert said.refused
    assert said.sentence == "It does not beat a lookup of group means: use the lookup."
    assert "RMSE 12 USD beside 10 USD" in said.figures
    assert 'class="verdict standing alarm"' in view_of_model.description(worse)


def test_something_simpler_that_is_better_still_is_named() -> None:
    said = scores.verdict(judged(beats=True, model=9.0, lookup=10.0, linear=8.0, forest=7.0))
    assert said is not None
    assert said.doubted
    assert "linear and forest are better still" in said.sentence
    best = scores.verdict(judged(beats=True, model=9.0, lookup=10.0, linear=11.0))
    assert best is not None
    assert not best.doubted
    assert scores.verdict(Model(name="m", version="1", title="M", contract=(TARGET,))) is None


def test_importance_is_in_the_unit_that_it_is_in() -> None:
    spaces = {"value": "3 USD", "log-odds": "3: 50 % to 95.3 %", "logit": "3", "log-value": "1908.6 %"}
    for space, text in spaces.items():
        importance = {"space": space, "rows": 10, "columns": {"x": 3.0}}
        metrics = {**(judged(beats=True, model=1.0, lookup=2.0).metrics or {}), "importance": importance}
        shown = view_of_model.description(Model(name="m", version="1", title="M", contract=(TARGET,), metrics=metrics))
        assert f'data-value="3.0">{text}' in shown


def of_two_classes(right: int, alarms: int, missed: int, found: int) -> dict[str, Any]:
    """Metrics with counts at the model's threshold, and those of always answering either class."""
    are, others = missed + found, right + alarms
    curve = {
        "thresholds": [0.0, 0.25, 1.0],
        "tp": [are, found, 0],
        "fp": [others, alarms, 0],
        "tn": [0, right, others],
        "fn": [0, missed, are],
    }
    return {"decision": {"classes": ["No", "<Yes>"], "threshold": 0.25, "before": {}, "after": {}, "curve": curve}}


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_shares_and_costs_are_those_at_the_models_threshold(right: int, alarms: int, missed: int, found: int) -> None:
    rows = right + alarms + missed + found
    assume(rows)
    said = decisions.decided(of_two_classes(right, alarms, missed, found))
    assert said is not None
    assert said.confusion == ((right, alarms), (missed, found))
    assert said.shares["recall"] == (found / (found + missed) if found + missed else None)
    assert said.shares["precision"] == (found / (found + alarms) if found + alarms else None)
    assert said.shares["accuracy"] == (right + found) / rows
    assert said.costs["cost"] == pytest.approx((alarms + 3 * missed) / rows)
    assert said.costs["cost_of_none"] == pytest.approx(3 * (missed + found) / rows)
    assert said.costs["cost_of_all"] == (right + alarms) / rows


def test_a_threshold_and_a_diagram_are_shown_only_where_they_are_published() -> None:
    def shown(**more: Any) -> str:
        metrics = {**(judged(beats=True, model=1.0, lookup=2.0).metrics or {}), **more}
        return view_of_model.description(Model(name="m", version="1", title="M", contract=(TARGET,), metrics=metrics))

    bins = {"predicted": [1.0, 9.0], "actual": [2.0, 8.0], "low": [1.5, 7.0], "high": [2.5, 9.0], "rows": [50, 50]}
    numbers, classes = shown(reliability=bins), shown(**of_two_classes(50, 10, 0, 0))
    assert 'data-value="8.0">8 USD' in numbers
    assert "deciding" not in numbers
    assert "&lt;Yes&gt;" in classes
    assert "<Yes>" not in classes
    assert 'data-of="recall">–' in classes  # nobody is to be found
    earlier = shown(decision={**of_two_classes(1, 1, 1, 1)["decision"], "curve": None})
    assert not {"deciding", "reliability"} & set(earlier.replace('"', " ").split())


def test_a_card_gives_its_pictures_and_nothing_else() -> None:
    card = (
        '<p>Text</p><img src="data:image/png;base64,AAAA" alt="A &lt;picture&gt;">'
        '<img src="https://elsewhere.example/x.png"><img src="data:image/svg+xml,<svg onload=x>"><script>x</script>'
    )
    assert pictures.of_card(card) == [("data:image/png;base64,AAAA", "A <picture>")]
    shown = view_of_model.shown_pictures(card)
    assert "A &lt;picture&gt;" in shown
    assert "elsewhere" not in shown
    assert "no pictures" in view_of_model.shown_pictures("<p>Text</p>")


def test_hashes_are_short_and_names_whole() -> None:
    assert view_of_model.short("a" * 64) == f"{'a' * 12}…"
    assert view_of_model.short("flights:9b35ec77f6ba7126") == "flights:9b35ec77f6ba7126"
    assert view_of_model.short(f"host/x@sha256:{'0' * 64}") == "host/x@sha256:000000000000…"


def test_a_simulated_table_is_said_above_all_tabs() -> None:
    simulated = Model(name="m", version="1", title="M", contract=(TARGET,), lineage={"data_source": "simulated"})
    observed = Model(name="m", version="1", title="M", contract=(TARGET,), lineage={"data_source": "simulated.csv"})
    assert "the numbers are an example" in base.heading(simulated)
    assert "the numbers are an example" not in base.heading(observed)

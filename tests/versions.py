"""Other versions of a model, made of its bundle without training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from model import bundle, golden
from model.model import Model
from model.predictor import Predictor
from validation.contract import Column, Contract, Kind, Role

KEY = Column(name="booking", kind=Kind.CATEGORY, role=Role.KEY)


def narrower(original: Path, folder: Path) -> None:
    """The same boosters with intervals of half the width."""
    model = bundle.read(original).model
    outcome: Any = model.outcome
    _write(original, folder, replace(model, outcome=msgspec.structs.replace(outcome, width=outcome.width / 2)))


def with_key(original: Path, folder: Path) -> None:
    """The same model with a contract that has another column, a key, which changes no answer."""
    model = bundle.read(original).model
    contract = Contract((*model.problem.contract.columns, KEY))
    _write(original, folder, replace(model, problem=replace(model.problem, contract=contract)))


def _write(original: Path, folder: Path, model: Model) -> None:
    opened = bundle.read(original)
    recorded, base_values = golden.record(Predictor(model), opened.golden.rows)
    files = bundle.contents(original, opened.manifest)
    files[bundle.GOLDEN] = msgspec.json.encode(recorded)
    bundle.write(folder, bundle.make_manifest(model, base_values, files), files)

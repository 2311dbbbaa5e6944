"""JSON Schemas of a model: its rows by the contract, and its answers with the members that its outcome has."""

from collections.abc import Iterable
from typing import Any

import msgspec

from serving.served_model import ServedModel
from validation.contract import MOST_LISTED, Column, Kind, Unseen
from validation.values import LARGEST_INTEGER, LONGEST_TEXT
from validation.wire import Explanations, PartialExplanations, PartialPredictions, Predictions

REFERENCE = "#/components/schemas/{name}"
_WHOLE = (Predictions, PartialPredictions, Explanations, PartialExplanations)
_NUMBER = {"type": "number"}
_TYPES: dict[Kind, dict[str, Any]] = {
    Kind.INTEGER: {"type": "integer", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
    Kind.REAL: {"type": "number"},
    Kind.FLAG: {"type": "boolean"},
    Kind.CATEGORY: {"type": "string", "pattern": r"\S", "maxLength": LONGEST_TEXT},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TIMESTAMP: {"type": "string", "format": "date-time"},
}


def row(model: ServedModel) -> dict[str, Any]:
    """The JSON Schema of a model's row."""
    contract = model.predictor.contract
    vocabularies = model.predictor.model.fitted.vocabularies
    columns = (*contract.inputs, *contract.keys)
    return {
        "type": "object",
        "title": model.predictor.problem.title,
        "properties": {
            column.name: _value(column, vocabularies.get(column.name, ()), model.examples[0].get(column.name))
            for column in columns
        },
        "required": [column.name for column in contract.inputs if not column.nullable],
        "additionalProperties": False,
        "examples": model.examples,
    }


def _value(column: Column, vocabulary: Iterable[str], example: object) -> dict[str, Any]:
    schema = dict(_TYPES[column.kind])
    names = list(vocabulary)
    if names and column.when_unseen(len(names)) is Unseen.REJECT and len(names) <= MOST_LISTED:
        schema["enum"] = [*names, *([None] if column.nullable else [])]
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
    bounds = {"minimum": column.ge, "maximum": column.le}
    schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    unit = f"in {column.unit}" if column.unit else ""
    if texts := [text for text in (column.help, unit) if text]:
        schema["description"] = ", ".join(texts)
    if example is not None:
        schema["examples"] = [example]
    return schema


def answers(name: str, model: ServedModel) -> dict[str, Any]:
    """The schemas of a model's answers, each by the name of its struct with `name` behind it."""
    predictor = model.predictor
    outcome, contract = predictor.outcome, predictor.contract
    _, schemas = msgspec.json.schema_components(_WHOLE, ref_template=REFERENCE)
    narrower: dict[str, Any] = {"prediction": _NUMBER}
    if outcome.subjects:
        named = {"enum": [*outcome.subjects]}
        narrower = {"prediction": named, "probabilities": _numbers(outcome.subjects), "explained_class": named}
    lacking = {"interval", "probabilities", "prediction_set"} - outcome.given
    lacking |= set() if contract.target.answer_unit else {"unit"}
    lacking |= set() if contract.keys else {"keys"}
    lacking |= set() if outcome.subjects else {"explained_class", "classes"}
    contributions = _numbers(column.name for column in contract.inputs)
    schemas["Prediction"] = _narrowed(schemas["Prediction"], narrower, lacking)
    narrower |= {"contributions": contributions, "space": {"const": outcome.space}}
    schemas["Explanation"] = _narrowed(schemas["Explanation"], narrower, lacking)
    own = ("Prediction", "Explanation", *(struct.__name__ for struct in _WHOLE))
    return {f"{struct}-{name}": _renamed(schemas[struct], own, name) for struct in own}


def _numbers(names: Iterable[str]) -> dict[str, Any]:
    """An object with a number for each name, and nothing else."""
    members = dict.fromkeys(names, _NUMBER)
    return {"type": "object", "properties": members, "required": [*members], "additionalProperties": False}


def _narrowed(schema: dict[str, Any], narrower: dict[str, Any], lacking: set[str]) -> dict[str, Any]:
    """A struct's schema with narrower members, and without those that are lacking."""
    members = {name: value for name, value in schema["properties"].items() if name not in lacking}
    return {**schema, "properties": members | {name: value for name, value in narrower.items() if name in members}}


def _renamed(schema: Any, own: Iterable[str], name: str) -> Any:
    """A schema whose references to the structs `own` are those to their versions with `name`."""
    if isinstance(schema, list):
        return [_renamed(value, own, name) for value in schema]
    if not isinstance(schema, dict):
        return schema
    references = {REFERENCE.format(name=struct): REFERENCE.format(name=f"{struct}-{name}") for struct in own}
    reference = schema.get("$ref")
    if reference in references:
        return {"$ref": references[reference]}
    return {key: _renamed(value, own, name) for key, value in schema.items()}

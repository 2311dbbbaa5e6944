"""The messages of a problem's own gRPC service, from its contract, and their `.proto` for callers.

The number of a column's field is its position in the contract. Columns are only ever appended, so clients of an older
`.proto` go on working. Columns that callers do not send keep their numbers and names reserved.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from model.outcomes import BY_TASK
from problems import base
from problems.base import Problem
from validation.contract import Column, Kind, Unseen

SERVICE = "Predictor"
METHODS: Mapping[str, str] = {
    "Predict": "Answers rows.",
    "Explain": "Explains the answers to rows: SHAP values, summed to the columns that were sent.",
}
"""Each takes a message of its name and `Request`, and gives one of its name and `Response`."""
_TYPES = {Kind.INTEGER: "int64", Kind.REAL: "double", Kind.FLAG: "bool"}
_OUTPUTS: Mapping[type, str] = {float: "double", str: "string"}
_WRITTEN = {Kind.DATE: "written YYYY-MM-DD", Kind.TIMESTAMP: "written YYYY-MM-DDThh:mm:ss"}

OPTIONAL, REPEATED, PLAIN = "optional", "repeated", ""
SHARES = "map<string, double>"


class Field(NamedTuple):
    """One field of a message; `type` is a scalar, the name of a message, or `SHARES`."""

    number: int
    name: str
    type: str
    label: str = PLAIN
    comment: str = ""


class Message(NamedTuple):
    """One message; `reserved` are names by number which no field may have."""

    name: str
    comment: str
    fields: Sequence[Field]
    reserved: Mapping[int, str] = {}

    @property
    def ambiguous(self) -> bool:
        """Whether two field names collide in protobuf's JSON mapping, which protoc refuses without an option."""
        return len({field.name.replace("_", "") for field in self.fields}) < len(self.fields)


_CLASSES = (
    Message(
        "PredictionSet",
        "The classes that a row may be of, and the share of sets that have the right one.",
        [Field(1, "labels", "string", REPEATED), Field(2, "coverage", "double")],
    ),
    Message(
        "ClassContributions",
        "SHAP values of one class.",
        [Field(1, "label", "string"), Field(2, "base_value", "double"), Field(3, "contributions", SHARES)],
    ),
)


def package(problem: Problem) -> str:
    """The protobuf package of the service and its messages."""
    return f"boxwood.{problem.name}"


def file_name(problem: Problem) -> str:
    """The file name of the `.proto`."""
    return f"{problem.name}.proto"


def messages(problem: Problem) -> list[Message]:
    """The messages of a problem's service."""
    return [_row(problem), *_requests(problem), *_responses(), *_answers(problem), *_parts(problem)]


def _row(problem: Problem) -> Message:
    contract = problem.contract
    accepted = {column.name for column in (*contract.inputs, *contract.keys)}
    required = {column.name for column in contract.inputs if not column.nullable}
    numbered = list(enumerate(contract.columns, 1))
    fields = [
        _column(number, column, "required" if column.name in required else "may be missing")
        for number, column in numbered
        if column.name in accepted
    ]
    reserved = {number: column.name for number, column in numbered if column.name not in accepted}
    comment = "A row. A field that is not set is a missing value, and so is NaN."
    return Message("Row", comment, fields, reserved)


def _column(number: int, column: Column, *more: str) -> Field:
    ends = [f"{word} {end:.15g}" for word, end in (("from", column.ge), ("to", column.le)) if end is not None]
    choices = f"one of: {', '.join(column.choices)}" if column.choices is not None else ""
    unseen = "others count as missing" if column.unseen is Unseen.WARN else ""
    texts = (_meaning(column.help, column.unit), " ".join(ends), _WRITTEN.get(column.kind, ""), choices, unseen, *more)
    comment = "; ".join(_one_line(text) for text in texts if text)
    return Field(number, column.name, _TYPES.get(column.kind, "string"), OPTIONAL, comment)


def _meaning(text: str, unit: str | None) -> str:
    return ", ".join(part for part in (text, f"in {unit}" if unit else "") if part)


def _one_line(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _requests(problem: Problem) -> list[Message]:
    partial = "Whether to answer the good rows beside the errors of the others."
    version = "Which version is asked; without it, the one that answers where nobody says."
    fields = [
        Field(1, "rows", "Row", REPEATED),
        Field(2, "partial", "bool", comment=partial),
        Field(3, "model_version", "string", comment=version),
    ]
    classes = Field(4, "classes", "string", REPEATED, "Which classes to explain beside the answer; * for all.")
    more = {"Explain": [classes] if "probabilities" in BY_TASK[problem.task].parts else []}
    return [
        Message(f"{method}Request", f"What {method} takes.", [*fields, *more.get(method, [])]) for method in METHODS
    ]


def _responses() -> list[Message]:
    comment = "One a row, in order; without a prediction where the errors say why the row was refused."
    responses = []
    for method, answer in zip(METHODS, ("Prediction", "Explanation"), strict=True):
        fields = [
            Field(1, "model_name", "string"),
            Field(2, "model_version", "string"),
            Field(3, f"{answer.lower()}s", answer, REPEATED, comment),
            Field(4, "errors", "RowError", REPEATED, "The first ones; only where a part of a request was asked for."),
            Field(5, "error_count", "int64", comment="How many there are in all."),
        ]
        responses.append(Message(f"{method}Response", f"What {method} gives.", fields))
    return responses


def _answers(problem: Problem) -> list[Message]:
    """A field's number is the same for all problems; fields that a problem has no use for are absent."""
    target, keys, answer = problem.contract.target, problem.contract.keys, BY_TASK[problem.task]
    predicted = Field(
        1, "prediction", _OUTPUTS[answer.kind], OPTIONAL, _one_line(_meaning(target.help, target.answer_unit))
    )
    shares = [Field(2, "probabilities", SHARES, comment="By label.")] if "probabilities" in answer.parts else []
    echoed = [Field(4, "keys", "Keys", OPTIONAL)] if keys else []
    common = [predicted, *shares, Field(3, "warnings", "string", REPEATED), *echoed]
    prediction_only = [
        *([Field(5, "unit", "string")] if target.answer_unit else []),
        *([Field(6, "interval", "Interval", OPTIONAL)] if "interval" in answer.parts else []),
        Field(7, "prediction_id", "string"),
        *([Field(8, "prediction_set", "PredictionSet", OPTIONAL)] if "prediction_set" in answer.parts else []),
    ]
    explanation_only = [
        Field(5, "space", "string", comment="What base_value and contributions add up to: value, log-odds or logit."),
        Field(6, "base_value", "double"),
        Field(7, "contributions", SHARES, comment="SHAP values by column."),
    ]
    if shares:
        explanation_only += [
            Field(8, "explained_class", "string", comment="Whose score that is."),
            Field(9, "classes", "ClassContributions", REPEATED, "The same for the classes that were asked for."),
        ]
    return [
        Message("Prediction", "The answer to a row.", [*common, *prediction_only]),
        Message("Explanation", "Why a row gets its answer.", [*common, *explanation_only]),
    ]


def _parts(problem: Problem) -> list[Message]:
    parts = []
    if "interval" in BY_TASK[problem.task].parts:
        bounds = [Field(number, name, "double") for number, name in enumerate(("low", "high", "coverage"), 1)]
        parts.append(Message("Interval", "A prediction interval and the share of rows that it covers.", bounds))
    if "prediction_set" in BY_TASK[problem.task].parts:
        parts += _CLASSES
    row = _row(problem)
    key_names = {column.name for column in problem.contract.keys}
    if key_names:
        key_fields = [field for field in row.fields if field.name in key_names]
        parts.append(Message("Keys", "The keys of a row, as they were sent.", key_fields))
    error_fields = [
        Field(1, "row", "int64", comment="Counted from 0."),
        Field(2, "column", "string", OPTIONAL),
        Field(3, "message", "string"),
        Field(4, "expected", "string", REPEATED, "Valid values, the nearest first."),
    ]
    return [*parts, Message("RowError", "One reason why a row was refused.", error_fields)]


def text(problem: Problem) -> str:
    """The `.proto`, for callers to generate their client from."""
    parts = [
        f"// {_one_line(problem.title)}. Rendered from the contract: `make proto` writes it again.",
        'syntax = "proto3";',
        f"package {package(problem)};",
        _block(
            f"service {SERVICE}",
            [
                line
                for method, comment in METHODS.items()
                for line in (f"// {comment}", f"rpc {method}({method}Request) returns ({method}Response);")
            ],
        ),
        *(
            f"// {message.comment}\n{_block(f'message {message.name}', _lines(message))}"
            for message in messages(problem)
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _block(head: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{head} {{", *(f"  {line}" for line in lines), "}"])


def _lines(message: Message) -> list[str]:
    lines = ["option deprecated_legacy_json_field_conflicts = true;"] if message.ambiguous else []
    if message.reserved:
        names = ", ".join(f'"{name}"' for name in message.reserved.values())
        lines += [f"reserved {', '.join(map(str, message.reserved))};", f"reserved {names};"]
    for field in message.fields:
        if field.comment:
            lines.append(f"// {field.comment}")
        lines.append(f"{field.label} {field.type} {field.name} = {field.number};".strip())
    return lines


def main(folder: Path) -> None:
    """Write the `.proto` of every problem."""
    for name in base.names():
        problem = base.load(name)
        (folder / file_name(problem)).write_text(text(problem))


if __name__ == "__main__":
    main(Path(__file__).parent / "rpc/protos")

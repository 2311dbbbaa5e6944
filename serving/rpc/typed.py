"""gRPC: one service a model, `boxwood.<model>.Predictor`, whose messages are its contract. It decides nothing.

The fields of a row are converted to the values that JSON would have, and the decoder validates them. NaN is a missing
number, as in tensors. An unknown field is refused like a surplus column, and not dropped as protobuf would do.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from google.protobuf.descriptor import Descriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from problems.base import Problem
from serving import contract_proto
from serving.access.caller import Asked
from serving.challenger import Address, Split
from serving.models import Models
from serving.quick import Few
from serving.rpc import descriptors
from serving.rpc.together import Together
from serving.telemetry import RequestMetrics
from serving.verbs import Verb
from validation.contract import Contract, Kind
from validation.errors import UnknownModel, UnreadableRequest
from validation.values import quoted
from validation.wire import PartialExplanations, PartialPredictions

T = TypeVar("T")


def service(problem: Problem, pool: DescriptorPool) -> ServiceDescriptor:
    """The service of a problem, with its messages, added to `pool`."""
    pool.AddSerializedFile(descriptors.file(problem).SerializeToString())
    return pool.FindServiceByName(f"{contract_proto.package(problem)}.{contract_proto.SERVICE}")


def methods(described: ServiceDescriptor, name: str, models: Models) -> dict[str, "Method"]:
    """The methods of a model's service by their names; they raise RequestError."""
    messages = contract_proto.messages(models.find(name).predictor.problem)
    read = Rows(models.find(name).predictor.contract, described.file.message_types_by_name["Row"])
    split = Split.of(models, name)
    if split is not None and contract_proto.messages(split.challenger.predictor.problem) != messages:
        split = None
    answering: dict[str, Method] = {}
    for method in described.methods:
        versions = {}
        for version in models.versions(name):
            model = models.find(name, version)
            verb = {"Predict": model.predicting, "Explain": model.explaining}[method.name]
            same = contract_proto.messages(model.predictor.problem) == messages
            together = None if verb.together is None else Together(verb.together)
            metrics = model.request_metrics("grpc-typed", verb.name)
            versions[version] = Version(verb, same, metrics, together)
        divided = (
            None if split is None else (split, {"Predict": split.predicting, "Explain": split.explaining}[method.name])
        )
        answering[method.name] = Method(name, read, versions, method.output_type, divided)
    return answering


class Version(NamedTuple):
    """What answers a method in one version.

    Attributes:
        verb: what it asks for.
        same: whether its contract has the messages of the service; it is not asked otherwise.
        metrics: counts its calls.
        together: asks for few rows of several callers, if the verb can.
    """

    verb: Verb
    same: bool
    metrics: RequestMetrics
    together: Together | None


class Rows:
    """Converts messages to rows as JSON would have them."""

    def __init__(self, contract: Contract, described: Descriptor) -> None:
        """Read messages of the type `described`, made for `contract`."""
        self._names = {
            field: field.name for field in described.fields
        }  # a lookup takes a third of the time of `field.name`
        self._reals = [column.name for column in contract.columns if column.kind is Kind.REAL]
        self._columns = [column.name for column in contract.columns]

    def __call__(self, message: Message) -> dict[str, Any]:
        """The row of a message."""
        row = {self._names[field]: value for field, value in message.ListFields()}
        for name in self._reals:
            if name in row and math.isnan(row[name]):
                row[name] = None
        for unknown in UnknownFieldSet(message):
            row[self._unknown_name(unknown.field_number)] = None
        return row

    def _unknown_name(self, number: int) -> str:
        """A name for a field that the message does not have, or has with another type."""
        if number > len(self._columns):
            return f"field {number}"
        name = self._columns[number - 1]
        return f"{name} of another type" if name in self._names.values() else name


class Method:
    """One method of a model's service."""

    def __init__(
        self,
        model: str,
        read: Rows,
        versions: Mapping[str, Version],
        described: Descriptor,
        divided: tuple[Split, Verb] | None = None,
    ) -> None:
        """Answer rows.

        Args:
            model: its name.
            read: reads them.
            versions: all that may be asked, the first where none is.
            described: the type of answers.
            divided: splits the callers that name no version, and what their challenger is asked; None to split none.
        """
        self._model = model
        self._read = read
        self._versions = versions
        self._first = next(iter(versions))
        self._default = versions[self._first]
        self._asks = self._default.metrics.labels[1]
        self._divided = divided
        self._response = GetMessageClass(described)
        [self._name] = {"predictions", "explanations"} & set(described.fields_by_name)
        self._answer_class = GetMessageClass(described.fields_by_name[self._name].message_type)

    def metrics(self, message: Any | None) -> RequestMetrics:
        """The metrics of a request or an answer; the first version's if it is unreadable or names none of these."""
        version = "" if message is None else message.model_version
        return self._versions.get(version, self._default).metrics

    async def __call__(self, request: Any, address: Address, asked: Asked) -> Message:
        """Answer one request."""
        asked.caller.demand(self._model, self._asks)
        for unknown in UnknownFieldSet(request):
            raise UnreadableRequest(f"Field {unknown.field_number} of the request is none that is known here.")
        count, version = len(request.rows), request.model_version
        answering = self._version(version)
        verb, together = answering.verb, answering.together
        verb.gate.demand_room(count, asked.caller)
        asked.take(count)
        if together is not None and count <= verb.gate.part and (self._divided is None or version):
            return await self._few(together, request, asked)
        rows = await _each(verb, self._read, request.rows)
        more: Mapping[str, Any] = {}
        if self._asks == "predict":  # explanations are not recorded
            more = asked.role_argument
        elif classes := getattr(request, "classes", ()):  # only a classification's Explain has the field
            more = {"classes": list(classes)}
        own = functools.partial(self._answered, verb, rows, asked, partial=request.partial, **more)
        if self._divided is None or version:
            return await own()
        split, challenging = self._divided
        whole = functools.partial(self._answered, challenging, rows, asked, **more)
        return await split.answered(rows, address, challenger=whole, champion=own)

    async def _few(self, together: Together, request: Any, asked: Asked) -> Message:
        """Answer few rows, together with those of other calls."""
        few = Few([self._read(row) for row in request.rows], request.partial, asked.caller, asked.role)
        answer = asked.answer = await together.asked(few)
        return self._message(answer, [_fields(one) for one in getattr(answer, self._name)])

    async def _answered(self, verb: Verb, rows: Sequence[object], asked: Asked, **more: Any) -> Message:
        """What one version answers."""
        answer = asked.answer = await verb.ask(rows, caller=asked.caller, **more)
        return self._message(answer, await _each(verb, self._row, getattr(answer, self._name)))

    def _message(self, answer: Any, answers: Sequence[Message | Mapping[str, Any]]) -> Message:
        """The message of an answer; those of its rows, or their fields, are `answers`."""
        found = {"model_name": answer.model_name, "model_version": answer.model_version, self._name: answers}
        return self._response(**found, **_errors(answer))

    def _version(self, version: str) -> Version:
        """What answers in a version; raises UnknownModel and UnreadableRequest."""
        answering = self._versions.get(version or self._first)
        if answering is None:
            raise UnknownModel(f"There is no version {quoted(version)} here. There are: {', '.join(self._versions)}.")
        if not answering.same:
            raise UnreadableRequest(
                f"Version {version} has another contract than the messages of this service. Ask it over HTTP or by "
                "the Open Inference Protocol."
            )
        return answering

    def _row(self, answer: msgspec.Struct | None) -> Message:
        return self._answer_class(**_fields(answer))


def _fields(answer: msgspec.Struct | None) -> Mapping[str, Any]:
    """The fields of the message of one row; none where it has no answer."""
    found: Mapping[str, Any] = {} if answer is None else msgspec.to_builtins(answer)
    return found


def _errors(answer: Any) -> dict[str, Any]:
    """The fields of an answer that say which rows have none."""
    if isinstance(answer, PartialPredictions | PartialExplanations):
        return {"errors": msgspec.to_builtins(answer.errors), "error_count": answer.error_count}
    return {}


async def _each(verb: Verb, convert: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    """Convert each item; other requests take turns between the parts of a large one."""
    if len(items) <= verb.gate.part:
        return [convert(item) for item in items]
    return [convert(item) async for part in verb.gate.turns(items) for item in part]

"""POST: rows in, answers out. The steps that all protocols over HTTP share; a protocol only translates."""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, Self, TypeVar

from starlette.types import Receive, Scope

from serving.access.caller import ANYONE, Asked
from serving.challenger import Split
from serving.rest.asgi import Endpoint, cancellable
from serving.rest.exchange import Exchange, Reply, encode
from serving.rest.guard import asked
from serving.rest.request import HeadOptions, address, demand_json, header, read_body, read_options, size_of
from serving.served_model import ServedModel
from serving.verbs import Verb
from validation import raw
from validation.errors import RequestError, UnreadableRequest
from validation.table import Table

READ = "boxwood.read"
"""Where a scope has a `Read` of its body, if that was read before."""
RequestT = TypeVar("RequestT")


class Question(NamedTuple):
    """The content of a request.

    Attributes:
        rows: as JSON gave them, or a table.
        partial: whether a partial answer will do if some rows are invalid.
        classes: which classes to explain beside the answer.
        raw: whether the rows are as the raw table writes them.
    """

    rows: Sequence[Any] | Table
    partial: bool = False
    classes: Sequence[str] = ()
    raw: bool = False


class Read(NamedTuple, Generic[RequestT]):
    """A request that was read."""

    request: RequestT
    question: Question


class Asking(Endpoint, Generic[RequestT]):
    """A verb of a model by one protocol, whose requests are of the type `RequestT`.

    Attributes:
        direct: whether the rows of a turn are answered by `directly`.
    """

    methods = ("POST",)

    def __init__(self, transport: str, model: ServedModel, verb: Verb) -> None:
        self.model = model
        self.verb = verb
        self.metrics = model.request_metrics(transport, verb.name)
        self._kind = self.metrics.labels
        self._compressed = (*self._kind, "compressed")
        self._divided: tuple[Split, Asking[RequestT]] | None = None
        self.direct = verb.soon is not None

    def divided(self, split: Split, challenger: "Asking[RequestT]") -> Self:
        """This endpoint, with some of its callers answered by the one of the challenger."""
        self._divided, self.direct = (split, challenger), False
        return self

    def demand_media(self, scope: Scope) -> None:
        """Raise UnsupportedMedia for a media type that is not read."""
        demand_json(scope)

    def read(self, scope: Scope, body: bytes) -> RequestT:
        """The request in a body; raises UnreadableRequest."""
        raise NotImplementedError

    def question(self, request: RequestT) -> Question:
        """The question of a request; raises UnreadableRequest and RequestTooLarge."""
        raise NotImplementedError

    def _question(self, request: RequestT, query: HeadOptions) -> Question:
        """The question of a request, which the query may say more of; raises UnreadableRequest and RequestTooLarge."""
        question = self.question(request)
        return question._replace(raw=True) if query.raw else question

    def _by_contract(self, rows: Sequence[Any] | Table) -> list[object]:
        """Raw rows as the contract has them, which takes as long as answering them; raises UnreadableRequest."""
        if isinstance(rows, Table):
            raise UnreadableRequest(
                "Tensors are columns of the contract; raw rows are objects, in V1 and `/invocations`."
            )
        return raw.as_requested(self.model.predictor.contract, rows)

    async def _all_by_contract(self, rows: Sequence[Any] | Table) -> list[object]:
        """The same of many rows, in turns; raises RequestTooLarge too."""
        gate = self.model.predicting.gate
        gate.demand_possible(len(rows))
        return [row async for part in gate.turns(rows) for row in self._by_contract(part)]

    def reply(self, request: RequestT, answer: Any) -> Reply:
        """The answer of the verb in the format of the protocol; raises UnreadableRequest."""
        return Reply(encode(answer))

    def options_of(self, scope: Scope) -> HeadOptions:
        """What the head of a request asks for; raises UnsupportedMedia and UnreadableRequest."""
        self.demand_media(scope)
        return read_options(scope)

    def refusal(self, asking: Asked, length: int) -> RequestError | None:
        """Why a request is refused by its head alone, with a body of `length` bytes to come; None if it is not."""
        try:
            self._demand(asking)
            self.verb.gate.demand_room(caller=asking.caller)
            if asking.caller is not ANYONE:
                asking.sends(self._kind, length)
        except RequestError as error:
            return error
        return None

    def refused(self, scope: Scope, asking: Asked, error: RequestError) -> Reply:
        """The answer to a request that is refused by its head."""
        return Exchange(scope, asking, self.metrics, self.refuse).failed(error)

    def directly(
        self, scope: Scope, asking: Asked, query: HeadOptions, body: bytes, send: Callable[[Reply], object]
    ) -> "Read[RequestT] | None":
        """Answer a request in this turn of the event loop, as `answer` would.

        Args:
            scope: its head, for which there is no `refusal`.
            asking: who asks.
            query: what the head asks for.
            body: all of it, not compressed.
            send: is given the reply, now or later in the turn.

        Returns:
            What was read, if it is too much for a turn: `answer` takes it from the scope's member READ. None where the
            request is answered.
        """
        exchange = Exchange(scope, asking, self.metrics, self.refuse)
        try:
            request = self.read(scope, body)
            question = self._question(request, query)
            if len(question.rows) > self.verb.gate.part or self.verb.soon is None:
                return Read(request, question)
            asking.take(len(question.rows))
            told = partial(self._told, exchange, asking, request, send)
            some = query.partial or question.partial
            rows = self._by_contract(question.rows) if question.raw else question.rows
            self.verb.soon(rows, told, partial=some, role=query.role, caller=asking.caller)
        except Exception as error:  # noqa: BLE001 the last resort of a request
            send(exchange.failed(error))
        return None

    def _told(
        self, exchange: Exchange, asking: Asked, request: RequestT, send: Callable[[Reply], object], answer: Any
    ) -> None:
        """Send an answer, or the error in place of it."""
        try:
            if isinstance(answer, Exception):
                raise answer
            asking.answer = answer
            reply = exchange.answered(self.reply(request, answer))
            if not exchange.plain(reply):
                reply = exchange.compressed_here(reply)
        except Exception as error:  # noqa: BLE001 the last resort of a request
            reply = exchange.failed(error)
        send(reply)

    def _demand(self, asking: Asked) -> None:
        """Raise whatever keeps a caller out, and Forbidden."""
        if asking.refusal is not None:
            raise asking.refusal
        if asking.caller is not ANYONE:
            asking.caller.demand(self.model.predictor.name, self.verb.name)

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """Read, ask and encode; raises RequestError."""
        asking = asked(scope)
        self._demand(asking)
        query = self.options_of(scope)
        asking.role = query.role
        self.verb.gate.demand_room(caller=asking.caller)  # before the body is read: a refused one need not be
        request, question = await self._read(scope, receive, asking, query)
        asking.take(len(question.rows))
        if question.raw:
            question = question._replace(rows=await self._all_by_contract(question.rows))
        if self._divided is None:
            return await self._asked(request, question, query, receive, asking)
        split, challenger = self._divided
        return await split.answered(
            question.rows,
            partial(address, scope),
            challenger=partial(challenger._challenged, request, question, query, receive, asking),
            champion=partial(self._asked, request, question, query, receive, asking),
        )

    async def _read(self, scope: Scope, receive: Receive, asking: Asked, query: HeadOptions) -> "Read[RequestT]":
        """Read the body; raises RequestError."""
        length = size_of(header(scope, b"content-length"))
        if length is not None:
            asking.sends(self._compressed if header(scope, b"content-encoding") else self._kind, length)
        body = await read_body(scope, receive, self.model.bodies)
        if length is None:
            asking.sends(self._kind, len(body))
        before: Read[RequestT] | None = scope.pop(READ, None)
        if before is not None:
            return before
        request = self.read(scope, body)
        return Read(request, self._question(request, query))

    async def _asked(
        self, request: RequestT, question: Question, query: HeadOptions, receive: Receive, asking: Asked
    ) -> Reply:
        work = self.work(question, query, asking)
        asking.answer = await cancellable(work, len(question.rows), self.verb, receive)
        return self.reply(request, asking.answer)

    async def _challenged(
        self, request: RequestT, question: Question, query: HeadOptions, receive: Receive, asking: Asked
    ) -> Reply:
        """The answer to all rows; raises RowsRejected if they are not all good, whatever the caller would take."""
        whole = question._replace(partial=False)
        reply = await self._asked(request, whole, HeadOptions(classes=query.classes), receive, asking)
        return reply._replace(metrics=self.metrics)

    def work(self, question: Question, query: HeadOptions, asking: Asked) -> Coroutine[Any, Any, Any]:
        """What the verb does with a question, which the query may say more of; raises RequestError."""
        some = query.partial or question.partial
        return self.verb.ask(question.rows, partial=some, caller=asking.caller, **asking.role_argument)

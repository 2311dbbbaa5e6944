"""A second version of a model beside its champion: it answers a share of the callers (A/B), or is asked in silence.

The champion is the version that answers where no version is asked for, and the challenger the next one. Requests that
name a version are never diverted.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from model.record import CHALLENGER, EXPLORING, SHADOW, Record, as_text
from serving import settings
from serving.counters import ChallengerMetrics
from serving.description import Challenger
from serving.journal_entry import Entry, inputs, sent
from serving.models import Models
from serving.served_model import ServedModel
from validation.errors import CallerLeft, Overloaded, RequestError, SettingsError
from validation.table import Table

if TYPE_CHECKING:
    from model.predictor import Predictor

T = TypeVar("T")
Address = Callable[[], str]
"""Says where a request comes from; called only if that matters."""
_ALL = 2**64
_log = logging.getLogger("boxwood.challenger")


def demand(models: Models) -> None:
    """Raise SettingsError if the settings want a challenger and there is none."""
    wanted = models.shared.settings.challenger
    if wanted and not any(_challenger(models, name) for name in models.names):
        raise SettingsError(
            f"BOXWOOD_CHALLENGER is {wanted}, and no model here has a second version that could be one. Serve two "
            "(make serve PROBLEM=name@champion,name@challenger), or leave the setting empty."
        )


def described(models: Models, name: str) -> Challenger | None:
    """What is to be said of a model's challenger; None if the settings give it nothing to do."""
    chosen, challenger = models.shared.settings, _challenger(models, name)
    if challenger is None or not chosen.challenger:
        return None
    version = challenger.predictor.version
    if chosen.challenger == settings.AB:
        return Challenger(version=version, mode="ab", percent=chosen.challenger_percent)
    return Challenger(version=version, mode="shadow", percent=chosen.journal_percent)


def _challenger(models: Models, name: str) -> ServedModel | None:
    _, *others = models.versions(name)
    return models.find(name, others[0]) if others else None


class Split:
    """Divides a model's callers between its champion and its challenger; a caller always gets the same of them.

    A caller is who sends the same keys in the first row, or, without keys, from the same address. The share is a range
    of hashes, so it is the same in all workers and after each start, and a larger one keeps whom a smaller one had.
    """

    def __init__(self, champion: ServedModel, challenger: ServedModel, percent: int) -> None:
        """Send so many percent of the callers to the challenger."""
        predictor = challenger.predictor
        self.challenger = challenger
        self.predicting = challenger.predicting._replace(ask=partial(challenger.predict, role=CHALLENGER), soon=None)
        """The challenger's verbs, as they are to be asked."""
        self.scoring = challenger.scoring._replace(ask=partial(challenger.score, role=CHALLENGER), soon=None)
        self.explaining = challenger.explaining
        self._below = _ALL * percent // 100
        self._keys = [column.name for column in champion.predictor.contract.keys]
        self._salt = f"{predictor.name}\0{predictor.version}"  # another experiment takes other callers
        self._metrics = ChallengerMetrics(predictor.name, predictor.version)

    @classmethod
    def of(cls, models: Models, name: str) -> "Split | None":
        """The split of a model's callers; None if the settings want none, or it has one version."""
        chosen, challenger = models.shared.settings, _challenger(models, name)
        if challenger is None or chosen.challenger != settings.AB:
            return None
        return cls(models.find(name), challenger, chosen.challenger_percent)

    def takes(self, rows: Sequence[object] | Table, address: Address) -> bool:
        """Whether the challenger is to answer the caller of a request."""
        text = f"{self._salt}\0{self._caller(rows) or address()}"
        digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()
        return int.from_bytes(digest) < self._below

    def _caller(self, rows: Sequence[object] | Table) -> str:
        """The keys in the first row; an empty text where there are none."""
        if not self._keys:
            return ""
        first = rows[:1].rows() if isinstance(rows, Table) else rows[:1]
        row = first[0] if first and isinstance(first[0], dict) else {}
        keys = [(name, row.get(name)) for name in self._keys]
        return "\0".join(f"{name}\0{as_text(value)}" for name, value in keys if value not in (None, ""))

    async def answered(
        self,
        rows: Sequence[object] | Table,
        address: Address,
        *,
        challenger: Callable[[], Awaitable[T]],
        champion: Callable[[], Awaitable[T]],
    ) -> T:
        """The answer of whichever version the caller belongs to; the champion's too where the challenger has none.

        Args:
            rows: of the request.
            address: where it comes from.
            challenger: asks the challenger, which has to answer all rows.
            champion: asks the champion.

        Raises:
            RequestError: as the champion does; Overloaded and CallerLeft also as the challenger does.
        """
        if not self.takes(rows, address):
            return await champion()
        try:
            return await challenger()
        except (Overloaded, CallerLeft):
            raise
        except RequestError:  # which may be of the challenger's contract only
            self._metrics.refused()
        except Exception:  # noqa: BLE001 an experiment must not cost a caller the answer
            self._metrics.refused()
            _log.exception("the challenger failed, the champion answers")
        return await champion()


class Shadows:
    """Asks challengers for the rows that are recorded of their champions; nobody but the journal gets the answers."""

    def __init__(self, of: "Mapping[Predictor, Predictor]") -> None:
        """Ask for each champion its challenger."""
        self._of = {champion: (challenger, _metrics(challenger)) for champion, challenger in of.items()}

    @classmethod
    def of(cls, models: Models) -> "Shadows | None":
        """Those that the settings want; None if they want none."""
        if models.shared.settings.challenger != settings.SHADOW:
            return None
        pairs = ((models.find(name), _challenger(models, name)) for name in models.names)
        return cls({champion.predictor: other.predictor for champion, other in pairs if other is not None})

    def records(self, answered: Sequence[tuple[Entry, Sequence[Record]]]) -> list[Record]:
        """The challengers' answers to the same rows, under the ids that the champions' have.

        Rows that a challenger refuses have none, nor have those that are no cases. Whatever fails is counted and
        logged, and costs no record of the champion's.

        Args:
            answered: what requests left, and the champions' answers to their places.
        """
        parts: dict[Predictor, tuple[list[Any], list[Record]]] = {}
        for entry, records in answered:
            if entry.predictor in self._of and entry.role != EXPLORING:
                rows, together = parts.setdefault(entry.predictor, ([], []))
                rows += sent(entry)
                together += records
        return [shadow for champion, part in parts.items() for shadow in self._asked(champion, *part)]

    def _asked(self, champion: "Predictor", rows: list[Any], records: list[Record]) -> list[Record]:
        predictor, metrics = self._of[champion]
        try:
            shadows = _answers(predictor, rows, records)
        except Exception:  # noqa: BLE001 the champion's records are to be written all the same
            metrics.shadowed(failed=len(records))
            _log.exception("a shadow failed")
            return []
        metrics.shadowed(answered=len(shadows), refused=len(records) - len(shadows))
        return shadows


def _metrics(predictor: "Predictor") -> ChallengerMetrics:
    return ChallengerMetrics(predictor.name, predictor.version)


def _answers(predictor: "Predictor", rows: list[Any], records: Sequence[Record]) -> list[Record]:
    decoded = predictor.decode(rows)
    scores = predictor.scores(decoded.inputs)
    read = inputs(predictor, [rows[place] for place in decoded.positions])
    answers = zip(decoded.positions, read, scores.tolist(), predictor.outcome.answers(scores), strict=True)
    return [
        msgspec.structs.replace(
            records[place],
            version=predictor.version,
            row=row,
            scores=score,
            prediction=answer.prediction,
            role=SHADOW,
        )
        for place, row, score, answer in answers
    ]

"""The models that a service holds, by name."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from model import bundle
from serving.served_model import ServedModel
from serving.settings import Settings
from serving.shared import Shared
from validation.errors import UnknownModel
from validation.values import quoted


class Models:
    """The models of one service, the first of them being the default."""

    def __init__(self, settings: Settings) -> None:
        self._shared = Shared(settings)
        self._served: dict[str, ServedModel] = {}

    def add(self, directory: Path, labels: Mapping[str, str]) -> None:
        """Read, check and load one bundle, and compare its answers to its golden rows.

        Raises:
            BundleError: it is damaged, made for other code, or does not answer its golden rows as it did in training.
        """
        # imported here, since the supervisor imports this module too, and LightGBM takes most of a second
        from model import golden
        from model.predictor import Predictor

        started = time.perf_counter()
        opened = bundle.read(directory)
        predictor = Predictor.of(opened)
        golden.replay(predictor, opened)
        served = ServedModel(predictor, opened, labels, self._shared)
        self._served[predictor.name] = served
        served.metrics.warm_up.set(time.perf_counter() - started)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._served.values())

    @property
    def default(self) -> ServedModel:
        """The model that unnamed requests go to."""
        return next(iter(self._served.values()))

    def find(self, name: str) -> ServedModel:
        """The model of that name; raises UnknownModel, which lists the names there are."""
        try:
            return self._served[name]
        except KeyError:
            names = ", ".join(self._served)
            raise UnknownModel(f"There is no model {quoted(name)} here. There are: {names}.") from None

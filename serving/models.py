"""The models that a service holds, by name and version."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from model import bundle, signatures
from serving.access.caller import ANYONE, Caller
from serving.served_model import ServedModel
from serving.settings import Settings
from serving.shared import Shared
from validation.errors import UnknownModel
from validation.values import quoted


class Models:
    """The models of one service by name and version.

    The first of them is the default. The first version of a name answers where no version is asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self.shared = Shared(settings)
        self._served: dict[str, dict[str, ServedModel]] = {}

    def add(self, directory: Path, labels: Mapping[str, str]) -> None:
        """Read, check and load one bundle, and compare its answers to its golden rows.

        Raises:
            BundleError: it is not signed as the settings demand, damaged, made for other code, or does not answer its
                golden rows as it did in training.
            SettingsError: the keys that the settings trust cannot be read.
        """
        # imported here, since the supervisor imports this module too, and LightGBM takes most of a second
        from model import golden
        from model.predictor import Predictor

        started = time.perf_counter()
        opened = bundle.read(directory, signatures.trusted(self.shared.settings.trusted_keys))
        predictor = Predictor.of(opened)
        golden.replay(predictor, opened)
        served = ServedModel(predictor, opened, labels, self.shared)
        self._served.setdefault(predictor.name, {})[predictor.version] = served
        served.metrics.warm_up.set(time.perf_counter() - started)

    def __iter__(self) -> Iterator[ServedModel]:
        """All versions of all models."""
        return (model for versions in self._served.values() for model in versions.values())

    @property
    def names(self) -> list[str]:
        """The names of the models, the default's first."""
        return list(self._served)

    def versions(self, name: str) -> list[str]:
        """The versions of a model that is here, the first being the one that answers where no version is asked for."""
        return list(self._served[name])

    @property
    def default(self) -> ServedModel:
        """The model that unnamed requests go to."""
        return self.find(self.names[0])

    def known(self, caller: Caller) -> list[str]:
        """The names of the models that a caller may ask, and so may know of."""
        return [name for name in self._served if caller.may(name)]

    def find(self, name: str, version: str = "", caller: Caller = ANYONE) -> ServedModel:
        """The model of that name and version, or its first version.

        Raises:
            UnknownModel: there is none; lists what there is that the caller may know of.
        """
        versions = self._served.get(name)
        if versions is None:
            known = ", ".join(self.known(caller)) or "none that you may ask"
            raise UnknownModel(f"There is no model {quoted(name)} here. There are: {known}.")
        model = versions.get(version) if version else next(iter(versions.values()))
        if model is None:
            known = ", ".join(versions)
            raise UnknownModel(f"There is no version {quoted(version)} of {quoted(name)} here. There are: {known}.")
        return model

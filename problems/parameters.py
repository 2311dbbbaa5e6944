"""The numbers of params.yaml: the defaults, and what differs from them in a problem."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from validation.errors import SettingsError

T = TypeVar("T")
PARAMS = Path("params.yaml")
DEFAULTS = "defaults"
"""The entry of params.yaml that holds for every problem, where its own does not differ."""


def document(problem: str) -> dict[str, Any]:
    """All parameters of a problem; raises SettingsError if there are none, or a section that has no defaults."""
    parameters = _read()
    defaults, own = parameters.get(DEFAULTS) or {}, parameters.get(problem) or {}
    for name, entry in ((DEFAULTS, defaults), (problem, own)):
        if not isinstance(entry, dict):
            raise SettingsError(f"{PARAMS}: '{name}' must have sections.")
    if not defaults and not own:
        raise SettingsError(f"{PARAMS} has no entry '{DEFAULTS}' and none '{problem}'.")
    unknown = [section for section in own if defaults and section not in defaults]
    if unknown:
        raise SettingsError(f"{PARAMS}: '{problem}' has a section '{unknown[0]}'; there are: {', '.join(defaults)}.")
    return _merged(defaults, own)


def section(problem: str, name: str, shape: type[T]) -> T:
    """A section of a problem's parameters; raises SettingsError for unknown names and bad values."""
    parameters = document(problem)
    if name not in parameters:
        raise SettingsError(f"{PARAMS} has no entry '{name}' for '{problem}', and none in '{DEFAULTS}'.")
    try:
        return msgspec.convert(_named(parameters[name], f"{problem}.{name}"), shape)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{PARAMS}, {problem}.{name}: {error}") from error


def _named(value: Any, where: str) -> Any:
    """A section whose names are texts: YAML reads the names of classes like 4 and No as numbers and flags."""
    if not isinstance(value, dict):
        return value
    odd = next((name for name in value if isinstance(name, bool)), None)
    if odd is not None:
        raise SettingsError(f"{PARAMS}, {where}: YAML reads a name there as {str(odd).lower()}; put it into quotes.")
    return {str(name): _named(inner, f"{where}.{name}") for name, inner in value.items()}


def _merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults with what differs in their place, section by section; a `booster` is taken as a whole."""
    merged = dict(defaults)
    for name, value in own.items():
        default = merged.get(name)
        # LightGBM's parameters suit each other, and no others
        merged[name] = value
        if name != "booster" and isinstance(default, dict) and isinstance(value, dict):
            merged[name] = _merged(default, value)
    return merged


def _read() -> dict[str, Any]:
    try:
        document = yaml.safe_load(PARAMS.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:  # bytes that are no UTF-8 are a ValueError
        raise SettingsError(f"{PARAMS} cannot be read: {' '.join(str(error).split())}") from error
    return document if isinstance(document, dict) else {}

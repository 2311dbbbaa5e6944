"""Container images without containers: what their entry point would start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.project import SERVING, free_port


def _nothing(environment: Mapping[str, str]) -> dict[str, str]:
    return dict(environment)


@dataclass(frozen=True)
class Image:
    """What stands for an image.

    Attributes:
        command: its entry point; it has to listen on 127.0.0.1 and the port that PORT names.
        folder: where it is started.
        environment: its ENV lines; the revision's template comes on top of them.
        network: changes the environment of a process. Containers have a network each and processes share one, so ports
            besides PORT have to differ.
    """

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    network: Callable[[Mapping[str, str]], dict[str, str]] = _nothing


def bento(source: Path, python: Path = SERVING / "python") -> Image:
    """The image of a Bento, started out of its `src` as the entry point of ours does."""
    return Image((str(python), "-m", "serving.alone", "--host", "127.0.0.1"), source, network=_bento_network)


def _bento_network(environment: Mapping[str, str]) -> dict[str, str]:
    other = "BOXWOOD_HTTP_PORT" if environment.get("BOXWOOD_TRANSPORT") == "grpc" else "BOXWOOD_GRPC_PORT"
    port = "0" if environment.get(other) == "0" else str(free_port())
    return {**environment, other: port, "BOXWOOD_GRPC_HOST": "127.0.0.1"}

"""python -m serving.alone: one worker without BentoML's supervisor.

For containers: their platform starts again what dies, one worker answers, and a process less is ready in half the
time. It serves the Bento in whose `src` it runs.
"""

import argparse
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bentoml
import uvicorn
from bentoml.exceptions import BentoMLException

from serving import lifecycle, logs, port
from serving.access import exposed
from serving.settings import Settings
from validation.errors import SettingsError

HERE = Path(__file__).parent.parent


def main() -> None:
    """Serve until SIGTERM."""
    options = _options()
    try:
        if options.port is not None:
            requested = port.number(options.port, "--port")
        else:
            requested = given_port(os.environ, sagemaker=options.command is not None)
        settings = Settings.from_environment(os.environ)
        host, number = _http(settings, options.host, requested)
    except SettingsError as error:
        sys.exit(f"Not starting: {error}")
    if HERE.parts[-4:-3] == ("bentos",):  # it lies in a store, and so does its model
        os.environ.setdefault("BENTOML_HOME", str(HERE.parents[3]))
    # uvicorn stops at SIGTERM, and then raises the signal again for the handler that was installed before its own
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        service: Any = bentoml.load(str(HERE.parent))
        bentoml.server_context.bento_name = service.bento.tag.name
        bentoml.server_context.bento_version = service.bento.tag.version
        service.inner.audit()
        logs.set_up()
    except lifecycle.NotStarting as error:
        sys.exit(str(error))
    except BentoMLException as error:
        sys.exit(f"Not starting: {error} BENTOML_HOME names the store that holds the model.")
    # beside gRPC, HTTP is for the machine itself, whose probes have no certificate
    secure = bool(settings.tls_cert) and settings.transport == "http"
    exposed.say(settings, [host])
    print(f"{service.bento.tag} at {'https' if secure else 'http'}://{port.address(host, number)}", flush=True)
    uvicorn.run(
        service.to_asgi(is_main=True),
        host=host,
        port=number,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=lifecycle.GRACE_SECONDS,
        ssl_certfile=settings.tls_cert if secure else None,
        ssl_keyfile=settings.tls_key if secure else None,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving.alone", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", help="else as the platform says, or 3000")
    parser.add_argument(
        "command", nargs="?", choices=["serve"], help="how SageMaker starts an image; does nothing else"
    )
    return parser.parse_args()


def given_port(environment: Mapping[str, str], *, sagemaker: bool) -> int:
    """The port that the platform asks for, or the default; raises SettingsError if it is not a valid port.

    SageMaker starts images with `serve` and expects 8080; Vertex AI has a variable of its own beside the image's PORT.
    """
    variables = ("SAGEMAKER_BIND_TO_PORT",) if sagemaker else ("AIP_HTTP_PORT", "PORT")
    name = next((name for name in variables if environment.get(name)), None)
    if name is None:
        return 8080 if sagemaker else 3000
    return port.number(environment[name], name)


def _http(settings: Settings, host: str, number: int) -> tuple[str, int]:
    """The address that HTTP listens on; where the transport is gRPC, gRPC gets this one, by way of the environment."""
    setting = "--port"
    if settings.transport == "grpc":
        os.environ |= {"BOXWOOD_GRPC_HOST": host, "BOXWOOD_GRPC_PORT": str(number)}
        host, number, setting = "127.0.0.1", settings.http_port, "BOXWOOD_HTTP_PORT"
    if reason := port.refusal(host, number, setting):
        raise SettingsError(reason)
    return host, number


if __name__ == "__main__":
    main()

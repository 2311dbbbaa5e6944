"""The servers that are measured: command, request and readiness path of each. All serve our booster."""

import dataclasses
import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import bodies
from benchmarks.environments import made
from benchmarks.options import COUNTS_PORT, GRPC_PORT, PAGE_PORT, PORT, Bench

HERE = Path(__file__).parent
ROOT = HERE.parent
PREDICT = "/v1/models/flights:predict"
EXPLAIN = "/v1/models/flights:explain"
INFER = "/v2/models/flights/infer"
PEERS = {
    "fastapi": ("fastapi", "uvicorn[standard]", "lightgbm", "scikit-learn", "pandas"),
    "bento": ("bentoml==1.4.39", "lightgbm", "scikit-learn", "numpy", "uvloop", "httptools"),
    "mlserver": ("mlserver", "mlserver-lightgbm"),
}
"""The packages in the virtual environment of each peer."""
_ENVIRONMENT = {"MODEL": str(bodies.BOOSTER), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE / "peers")}


@dataclass(frozen=True)
class Server:
    """A server: a command that listens on a port of the loopback interface, and a request of a single row."""

    name: str
    command: list[str]
    path: str
    body: str
    ready: str
    """The path that answers once it is ready; empty where being connected is enough."""
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    """Its working directory, if that matters."""
    port: int = PORT


def ours(bench: Bench, **settings: str) -> Server:
    """The Bento in the serving environment, with one worker and all features on."""
    command = f"{ROOT}/.venv-serving/bin/bentoml serve {bench.tag} --host 127.0.0.1 --port {PORT}"
    environment = {"BENTOML_HOME": str(bench.home), "BOXWOOD_GRPC_PORT": str(GRPC_PORT), "BOXWOOD_WORKERS": "1"}
    return Server("Boxwood", shlex.split(command), PREDICT, bodies.instances(1), "/readyz", environment | settings)


def alone(bench: Bench) -> Server:
    """The same worker without BentoML's supervisor."""
    command = [f"{ROOT}/.venv-serving/bin/python", "-m", "serving.alone", "--port", str(PORT)]
    folder = bench.home / "bentos" / bench.tag.replace(":", "/") / "src"
    return dataclasses.replace(ours(bench), name="Boxwood, alone", command=command, folder=folder)


def through_asgi(bench: Bench) -> Server:
    """The service without its direct way: each request gets a task, a scope and messages."""
    return dataclasses.replace(ours(bench, BOXWOOD_DIRECT="0"), name="Boxwood, through ASGI")


def two_workers(bench: Bench) -> Server:
    """The service with two workers, whose client shares their two cores here."""
    return dataclasses.replace(ours(bench, BOXWOOD_WORKERS="2"), name="Boxwood, two workers")


def native(bench: Bench) -> Server:
    """BentoML's own API of the same service."""
    body = json.dumps({"rows": bodies.rows(1)})
    return dataclasses.replace(ours(bench), name="Boxwood, BentoML's own API", path="/predict", body=body)


def page(beside: int | None = None) -> Server:
    """The demo page of the service on PORT; `beside` is the process that it waits for, as in `make serve`."""
    command = [sys.executable, "-m", "ui", "--api", f"http://127.0.0.1:{PORT}", "--port", str(PAGE_PORT)]
    command += [] if beside is None else ["--beside", str(beside)]
    return Server("the page", command, "/", "", "/livez", folder=ROOT, port=PAGE_PORT)


def echo(bench: Bench) -> Server:
    """The upper limit of the machine, uvicorn and the client."""
    return Server("bare ASGI echo", [*_uvicorn(bench), "echo:app"], "/", _vector(), "/", _ENVIRONMENT)


def one_listener(bench: Bench) -> Server:
    """The service with one gRPC server in its worker."""
    return dataclasses.replace(ours(bench, BOXWOOD_GRPC_LISTENERS="1"), name="Boxwood, one listener")


def grpc_echo() -> Server:
    """The upper limit of grpc.aio and the client."""
    program = [f"{ROOT}/.venv-serving/bin/python", str(HERE / "peers/grpc_echo.py"), f"127.0.0.1:{GRPC_PORT}"]
    return Server("bare grpc.aio echo", program, "/echo.Echo/Echo", "", "", port=GRPC_PORT)


def careful(bench: Bench) -> Server:
    """FastAPI as a careful engineer writes it."""
    command = [*_uvicorn(bench), "fastapi_careful:app"]
    return Server("FastAPI, careful", command, "/predict", _vector(), "/healthz", _ENVIRONMENT)


def batchable(bench: Bench) -> Server:
    """BentoML as its documentation has it."""
    command = f"{bench.environments}/bento/bin/bentoml serve bento_documented:Fare --host 127.0.0.1 --port {PORT}"
    folder = ["--working-dir", str(HERE / "peers")]
    body = json.dumps({"x": [bodies.vector()]})
    return Server("BentoML, batchable", [*shlex.split(command), *folder], "/predict", body, "/readyz", _ENVIRONMENT)


def _uvicorn(bench: Bench) -> list[str]:
    python = f"{bench.environments}/fastapi/bin/python"
    return [python, "-m", "uvicorn", "--port", str(PORT), "--log-level", "warning"]


def _vector() -> str:
    return json.dumps({"x": bodies.vector()})


def mlserver(bench: Bench) -> Server:
    """MLServer with its LightGBM runtime, which answers gRPC too."""
    folder = bench.work / "mlserver"
    folder.mkdir(exist_ok=True)
    shutil.copy(bodies.BOOSTER, folder / "model.bst")
    ports = {"http_port": PORT, "grpc_port": GRPC_PORT, "metrics_port": COUNTS_PORT}
    settings = {**ports, "parallel_workers": 0, "host": "127.0.0.1"}
    (folder / "settings.json").write_text(json.dumps(settings))
    implementation = {"implementation": "mlserver_lightgbm.LightGBMModel", "parameters": {"uri": "./model.bst"}}
    (folder / "model-settings.json").write_text(json.dumps({"name": "fare", **implementation}))
    row = bodies.vector()
    tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    programs = f"{bench.environments}/mlserver/bin"
    return Server(
        "MLServer", [f"{programs}/mlserver", "start", str(folder)], "/v2/models/fare/infer",
        json.dumps({"inputs": [tensor]}), "/v2/health/ready",
        {"OMP_NUM_THREADS": "1", "PATH": f"{programs}:{os.environ['PATH']}"},
    )  # fmt: skip


def prepare(environments: Path) -> None:
    """Create the virtual environment of each peer, unless it exists."""
    for name, packages in PEERS.items():
        made(environments / name, *packages)

"""The servers that are measured: how each is started, asked, and known to be ready."""

import dataclasses
import json
import os
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm as lgb

from model import bundle
from problems import base

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = {
    "fastapi": ("fastapi", "uvicorn[standard]", "lightgbm", "scikit-learn", "pandas"),
    "bento": ("bentoml==1.4.39", "lightgbm", "scikit-learn", "numpy", "uvloop", "httptools"),
    "mlserver": ("mlserver", "mlserver-lightgbm"),
}
"""What each peer's environment holds."""


@dataclass(frozen=True)
class Server:
    """One competitor: a command that listens on `port` of loopback, and a single-row request to it."""

    name: str
    command: list[str]
    path: str
    body: str
    ready: str
    environment: dict[str, str] = field(default_factory=dict)


def ours(tag: str, port: int, home: Path, **settings: str) -> Server:
    """A Bento of the packaged model in the serving environment."""
    body = json.dumps({"instances": [base.load("flights").contract.example()]})
    command = f"{ROOT}/.venv-serving/bin/bentoml serve {tag} --host 127.0.0.1 --port {port}"
    environment = {"BENTOML_HOME": str(home), "BOXWOOD_GRPC_PORT": "0", "BOXWOOD_WORKERS": "1", **settings}
    return Server("Boxwood", shlex.split(command), "/v1/models/flights:predict", body, "/readyz", environment)


def native(server: Server) -> Server:
    """BentoML's own API of the same service."""
    rows = json.loads(server.body)["instances"]
    body = json.dumps({"rows": rows})
    return dataclasses.replace(server, name="Boxwood, BentoML's own API", path="/predict", body=body)


def peers(environments: Path, work: Path, port: int) -> list[Server]:
    """The others, all on the booster of our bundle."""
    model = ROOT / "data/flights/bundle" / bundle.MODEL
    row = [1.0] * lgb.Booster(model_file=str(model)).num_feature()
    environment = {"MODEL": str(model), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE / "peers")}
    uvicorn = [f"{environments}/fastapi/bin/python", "-m", "uvicorn", "--port", str(port), "--log-level", "warning"]
    one = json.dumps({"x": row})
    careful = Server("FastAPI, careful", [*uvicorn, "fastapi_careful:app"], "/predict", one, "/healthz", environment)
    echo = Server("bare ASGI echo", [*uvicorn, "echo:app"], "/", one, "/", environment)
    bento = shlex.split(f"{environments}/bento/bin/bentoml serve bento_documented:Fare --host 127.0.0.1 --port {port}")
    batchable = Server(
        "BentoML, batchable", [*bento, "--working-dir", str(HERE / "peers")], "/predict", json.dumps({"x": [row]}),
        "/readyz", environment,
    )  # fmt: skip
    return [echo, careful, batchable, _mlserver(environments, work, port, model, row)]


def _mlserver(environments: Path, work: Path, port: int, model: Path, row: list[float]) -> Server:
    folder = work / "mlserver"
    folder.mkdir(exist_ok=True)
    shutil.copy(model, folder / "model.bst")
    settings: dict[str, Any] = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    _write(folder / "settings.json", {**settings, "parallel_workers": 0, "host": "127.0.0.1"})
    implementation = {"implementation": "mlserver_lightgbm.LightGBMModel", "parameters": {"uri": "./model.bst"}}
    _write(folder / "model-settings.json", {"name": "fare", **implementation})
    tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    return Server(
        "MLServer",
        [f"{environments}/mlserver/bin/mlserver", "start", str(folder)],
        "/v2/models/fare/infer",
        json.dumps({"inputs": [tensor]}),
        "/v2/health/ready",
        {"OMP_NUM_THREADS": "1", "PATH": f"{environments}/mlserver/bin:{os.environ['PATH']}"},
    )


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document))

"""Brings a raw table into the workspace: a file, a URL, or the problem's simulated market."""

import http.client
import importlib
import importlib.util
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import msgspec

from problems.base import Problem
from training.workspace import Workspace, atomic_folder, read_json, recover, say, sha256, write_json
from validation.errors import ContractError, SettingsError, TableError

SIMULATED = "simulated"
FORMATS = (".csv", ".csv.gz", ".parquet")
_CHUNK = 1 << 20
_PROGRESS = 20 * _CHUNK
_TIMEOUT = 30.0


class SourceParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The simulated table's size and seed, where the problem has a simulator."""

    rows: Annotated[int, msgspec.Meta(ge=1)] = 100_000
    seed: int = 1


def main(problem: Problem, data: str | None = None) -> None:
    """Put a raw table at `data/<problem>/raw`.

    Args:
        problem: whose table it is.
        data: a path, an http(s) URL, "simulated", or None to keep what is there (simulated if nothing is).

    Raises:
        TableError: there is no such file, it is empty or in another format, or the URL does not answer.
    """
    workspace = Workspace(problem.name)
    params = workspace.params("source", SourceParams)
    recover(workspace.raw)
    _bring(problem, workspace, params, data)
    workspace.list_problem()


def _bring(problem: Problem, workspace: Workspace, params: SourceParams, data: str | None) -> None:
    if not data:
        origin = read_json(workspace.source)["origin"] if workspace.table else SIMULATED
        if origin != SIMULATED:
            back = f" (DATA={SIMULATED} goes back to the simulated table)" if problem.simulator else ""
            say("source", f"using {origin} as before{back}")
            return
        data = SIMULATED
    if data == SIMULATED:
        _simulate(problem, workspace, params)
    elif data.startswith(("http://", "https://")):
        _keep(problem, workspace, data)
    elif "://" in data:
        raise TableError(f"{data} is no URL that Boxwood reads: only http and https.")
    else:
        path = Path(data).expanduser()
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise TableError(f"{path} {what}. DATA takes the path or URL of a table.")
        if not path.name.lower().endswith(FORMATS):
            raise TableError(f"{path.name} is in no format that Boxwood reads: {', '.join(FORMATS)}.")
        _keep(problem, workspace, str(path))


def _simulate(problem: Problem, workspace: Workspace, params: SourceParams) -> None:
    if problem.simulator is None:
        raise SettingsError(f"'{problem.name}' has no simulated table: say which table to use with DATA=path-or-URL.")
    module, function = problem.simulator.split(":")
    description = {"origin": SIMULATED, "rows": params.rows, "seed": params.seed, "simulator": _source_hash(module)}
    if workspace.table and description.items() <= read_json(workspace.source).items():
        say("source", f"simulated table of {params.rows:,} rows, seed {params.seed}, as before")
        return
    with atomic_folder(workspace.raw) as folder:
        table = folder / "table.csv"
        getattr(importlib.import_module(module), function)(table, rows=params.rows, seed=params.seed)
        _describe(folder, table, description)
    say("source", f"simulated {params.rows:,} rows, seed {params.seed}: this is not real data")


def _keep(problem: Problem, workspace: Workspace, origin: str) -> None:
    """Replace the raw table once the new one is proven to be of this problem; the old one stays until then."""
    from training.data import ingest, raw  # pandas takes a second to import, and most runs bring no new table

    with atomic_folder(workspace.raw) as folder:
        name = _without_secrets(origin).rsplit("/", 1)[-1]
        table = folder / (f"table{name}" if name.startswith(".") or not name else name)  # hidden files are not tables
        if origin.startswith(("http://", "https://")):
            _download(origin, table)
            if not name.lower().endswith(FORMATS):
                table = table.rename(f"{table}{raw.suffix(table)}")
        else:
            shutil.copyfile(origin, table)
        size = table.stat().st_size
        ingest.read(table, problem.contract)
        digest = _describe(folder, table, {"origin": _without_secrets(origin)})
    say("source", f"{_without_secrets(origin)}: {size / 1e6:.1f} MB, sha256 {digest[:12]}")


def _describe(folder: Path, table: Path, description: dict[str, Any]) -> str:
    digest = sha256(table)
    write_json(folder / Workspace.SOURCE, {**description, "sha256": digest})
    return digest


def _source_hash(module: str) -> str:
    """The sha256 of the simulator's file, without importing it: pandas alone takes a second."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ContractError(f"There is no simulator {module}.")
    return sha256(Path(spec.origin))


def _without_secrets(origin: str) -> str:
    """A URL without its credentials and its query, which may hold secrets too; a path as it is."""
    if not origin.startswith(("http://", "https://")):
        return origin
    try:
        url = urllib.parse.urlsplit(origin)
    except ValueError as error:
        raise TableError(f"DATA={origin!r} is no URL: {error}.") from error
    return urllib.parse.urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))


def _download(url: str, table: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response, table.open("wb") as file:  # noqa: S310 http only
            length = response.headers.get("Content-Length", "")
            announced = int(length) if length.isdigit() else None
            received = 0
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                received += len(chunk)
                if received // _PROGRESS > (received - len(chunk)) // _PROGRESS:
                    say("source", f"{received / 1e6:.0f} MB" + (f" of {announced / 1e6:.0f} MB" if announced else ""))
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise TableError(
            f"{_without_secrets(url)} could not be downloaded: {reason}. Nothing was changed; {_advice(error)}."
        ) from error
    if announced is not None and received != announced:
        raise TableError(
            f"{_without_secrets(url)} broke off after {received} of {announced} bytes. Nothing was changed; try again."
        )


def _advice(error: Exception) -> str:
    """What a person can do about a download that failed."""
    code = error.code if isinstance(error, urllib.error.HTTPError) else None
    if code in (404, 410):
        return f"there is no such file at that address (status {code})"
    if code in (401, 403):
        return f"the file may not be read without credentials (status {code})"
    if isinstance(error, ValueError | http.client.InvalidURL):
        return "check the URL"
    return "try again later"

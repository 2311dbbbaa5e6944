"""Copies of tables from where they are: a path, an http(s) URL, or another address that fsspec reads."""

import http.client
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from training.workspace import Workspace, say
from validation.errors import TableError

_WEB = ("http://", "https://")
_CHUNK = 1 << 20
_PROGRESS = 20 * _CHUNK
_TIMEOUT = 30.0


def copy(origin: str, folder: Path) -> Path:
    """Copy a table into `folder` under its own name, and return where it lies.

    Raises:
        TableError: there is no such file, or its address does not answer.
    """
    from training.data import formats  # pandas takes a second to import, and most runs bring no new table

    if "://" not in origin:
        _demand_file(Path(origin).expanduser())
    name = without_secrets(origin).rsplit("/", 1)[-1]
    if name.startswith(".") or name in ("", Workspace.SOURCE):  # hidden files are not tables
        name = f"table{name}"
    table = folder / name
    if origin.startswith(_WEB):
        _download(origin, table)
    elif "://" in origin:
        _bring(origin, table)
    else:
        shutil.copyfile(Path(origin).expanduser(), table)
    end = formats.suffix(table)
    return table.rename(f"{table}{end}") if "://" in origin and "." not in name else table


def without_secrets(origin: str) -> str:
    """An address without its credentials and its query, which may hold secrets too; a path as it is."""
    if "://" not in origin:
        return origin
    try:
        url = urllib.parse.urlsplit(origin)
    except ValueError as error:
        raise TableError(f"DATA={origin!r} is no URL: {error}.") from error
    return urllib.parse.urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))


def _demand_file(path: Path) -> None:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise TableError(f"{path} {what}. DATA takes the path or URL of a table.")


def _bring(address: str, table: Path) -> None:
    """Copy from a bucket or whatever else fsspec knows."""
    import fsspec

    scheme = address.split("://", 1)[0]
    try:
        with fsspec.open(address, "rb") as remote, table.open("wb") as file:
            shutil.copyfileobj(remote, file, _CHUNK)
    except (ImportError, ValueError) as error:
        raise TableError(
            f"{without_secrets(address)} cannot be read: {error}. DATA takes a path, a URL, or an address that fsspec "
            f"reads with what is installed here; {scheme} is none."
        ) from error
    except Exception as error:
        raise TableError(
            f"{without_secrets(address)} could not be read: {type(error).__name__}: {error}. Nothing was changed; "
            "check the address, and whether its store lets you in."
        ) from error


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
        reason = " ".join(str(getattr(error, "reason", None) or error).split())
        raise TableError(
            f"{without_secrets(url)} could not be downloaded: {reason}. Nothing was changed; {_advice(error)}."
        ) from error
    if announced is not None and received != announced:
        raise TableError(
            f"{without_secrets(url)} broke off after {received} of {announced} bytes. Nothing was changed; try again."
        )


def _advice(error: Exception) -> str:
    """What a person can do about a download that failed."""
    code = error.code if isinstance(error, urllib.error.HTTPError) else None
    if code in (404, 410):
        return f"there is no such file at that address (status {code})"
    if code in (401, 403):
        return f"the file may not be read without credentials (status {code})"
    if isinstance(error, ValueError | http.client.InvalidURL) or (code is not None and code < 500):
        return "check the URL"
    return "try again later"

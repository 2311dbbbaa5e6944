"""Raw files of every format that Boxwood reads, as headers and columns, or a sentence that says what is wrong.

The first bytes of a file decide its format: its name may be in any case, or come from a download.
"""

import contextlib
import gzip
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from training.data import delimited, records
from training.data.rawtable import BRING, Loaded, RawTable
from training.workspace import counted
from validation.errors import TableError

_PARQUET, _GZIP, _ZIP, _OLE = b"PAR1", b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06"), b"\xd0\xcf\x11\xe0"
_ARROW, _STREAM = b"ARROW1", b"\xff\xff\xff\xff"
_BOM = b"\xef\xbb\xbf"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OTHERS = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"SQLite format": "a database",
    b"BZh91AY&SY": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"<": "a web page or XML",
}
_JSON = re.compile(rb"\s*(\{\s*([\"}]|$)|\[\s*([\[{\]\"0-9-]|$))")  # a header of CSV may begin with [ or { too
_RAGGED = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
_OPEN_QUOTE = re.compile(r"EOF inside string starting at row (\d+)")
_SUFFIXES = {_PARQUET: ".parquet", _GZIP: ".gz", _ARROW: ".arrow", b"PK": ".zip", b"{": ".json", b"[": ".json"}


def suffix(path: Path) -> str:
    """What the name of a file with this content should end with, if it is a table."""
    start = _start(path)
    return next((end for magic, end in _SUFFIXES.items() if start.startswith(magic)), ".csv")


@contextlib.contextmanager
def opened(path: Path, sheet: str | None = None) -> Iterator[RawTable]:
    """A raw table while its file is open.

    Args:
        path: the file, in a format of `rawtable.READ`.
        sheet: which sheet of a workbook; None where one sheet has cells.

    Yields:
        Its headers and columns.

    Raises:
        TableError: it is empty, damaged or no table, or doubles a header.
    """
    with _sentences(path):
        if path.stat().st_size == 0:
            raise TableError(f"{path.name} is empty.")
        with _unpacked(path) as inner:
            table = _read(inner, path, sheet)
            table.demand_different_headers()
            yield table


def _read(inner: Path, path: Path, sheet: str | None) -> RawTable:
    """The table of a file that is not packed; `path` is what messages call it."""
    reader = _reader(inner, path)
    if sheet and reader is not records.read_workbook:
        raise TableError(f"{path.name} is no workbook, so it has no sheet {sheet!r}; leave SHEET out.")
    if reader is records.read_workbook:
        return records.read_workbook(inner, path.name, sheet)
    return reader(inner, path.name)


def _reader(inner: Path, path: Path) -> Callable[..., RawTable]:
    start = _start(inner)
    if start.startswith(_PARQUET) or path.suffix.lower() == ".parquet":
        return _read_parquet
    if start.startswith((_ARROW, _STREAM)):
        return _read_arrow
    if start.startswith(_OLE) and _is_encrypted(inner):
        raise TableError(f"{path.name} is an encrypted workbook. Save it without a password.")
    if start.startswith((_OLE, *_ZIP)):
        return records.read_workbook
    for magic, what in _OTHERS.items():
        if start.lstrip().startswith(magic):
            raise TableError(f"{path.name} is {what}. {BRING}")
    if _JSON.match(start.removeprefix(_BOM)):
        return records.read_json
    return delimited.read


@contextlib.contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Turns what readers raise into a sentence."""
    try:
        yield
    except pd.errors.EmptyDataError as error:
        raise TableError(f"{path.name} has no cells. {BRING}") from error
    except pd.errors.ParserError as error:
        raise TableError(_torn(path.name, str(error))) from error
    except pd.errors.ParserWarning as error:
        raise TableError(
            f"{path.name} has rows with more cells than the header; nothing says what they are. Give them headers, or "
            "take them away."
        ) from error
    except (pa.ArrowException, EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise TableError(_damaged(path, error)) from error
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path.name} is damaged, or written in several encodings: {error}. Save it as UTF-8."
        ) from error
    except OSError as error:  # Arrow's have no number, those of the system have one
        if error.errno is None:
            raise TableError(_damaged(path, error)) from error
        raise


def _damaged(path: Path, error: Exception) -> str:
    return f"{path.name} is damaged or cut off: {' '.join(str(error).split()).rstrip('.')}. Bring it anew."


def _torn(name: str, error: str) -> str:
    """A sentence on a line that is not like the others, from what pandas says of it."""
    if ragged := _RAGGED.search(error):
        header, line, cells = map(int, ragged.groups())
        return (
            f"Line {line} of {name} has {counted(cells, 'cell')}, and its header {header}. Mend the line, or take away "
            "what stands above the headers."
        )
    if quote := _OPEN_QUOTE.search(error):
        return f"A quote that begins in line {int(quote[1]) + 1} of {name} does not end. Mend the line."
    return f"{name} is not a readable CSV table: {' '.join(error.split()).rstrip('.')}. {BRING}"


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _is_encrypted(path: Path) -> bool:
    return _ENCRYPTED in path.read_bytes()


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The file itself, or what the gzip or zip file holds, in a temporary folder."""
    start = _start(path)
    member = _member(path) if start.startswith(_ZIP) else None
    if not start.startswith(_GZIP) and member is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="boxwood-") as folder, contextlib.ExitStack() as packed:
        if member is None:
            stream: IO[bytes] = packed.enter_context(gzip.open(path))  # type: ignore[arg-type]  # it is read alike
        else:
            stream = packed.enter_context(_opened(packed.enter_context(zipfile.ZipFile(path)), member, path.name))
        inner = Path(folder) / "table"
        with inner.open("wb") as file:
            shutil.copyfileobj(stream, file)
        if inner.stat().st_size == 0:
            raise TableError(f"{path.name} holds an empty file.")
        yield inner


def _opened(archive: zipfile.ZipFile, member: str, name: str) -> IO[bytes]:
    try:
        return archive.open(member)
    except NotImplementedError as error:
        raise TableError(f"{name} is packed in a way that is not read here. Pack it anew, as zip or gzip.") from error


def _member(path: Path) -> str | None:
    """The one table of a zip file; None for a workbook, which is a zip file too."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "[Content_Types].xml" in names or "content.xml" in names:
            return None
        files = [name for name in names if not name.endswith("/") and not name.startswith(("__MACOSX/", "."))]
        if len(files) != 1:
            some = ": " + ", ".join(map(repr, files[:5])) + ", …" * (len(files) > 5) if files else ""
            raise TableError(f"{path.name} holds {len(files)} files{some}. Bring one table.")
        if archive.getinfo(files[0]).flag_bits & 1:
            raise TableError(f"{path.name} is encrypted. Bring it without a password.")
    return files[0]


def _read_parquet(path: Path, name: str) -> RawTable:
    file = pq.ParquetFile(path)
    names = file.schema_arrow.names

    def load() -> Loaded:
        index = pd.RangeIndex(file.metadata.num_rows)
        return Loaded(index, lambda place: file.read(columns=[names[place]]).column(names[place]))

    return RawTable(name, names, load, file.schema_arrow.types)


def _read_arrow(path: Path, name: str) -> RawTable:
    source = pa.memory_map(str(path))
    is_file = _start(path).startswith(_ARROW)
    table = (pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)).read_all()
    loaded = Loaded(pd.RangeIndex(table.num_rows), table.column)
    return RawTable(name, table.column_names, lambda: loaded, table.schema.types)

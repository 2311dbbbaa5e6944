"""Labelled rows beside the raw table: answered rows whose true values have come, which are learned from too.

They are a Parquet file of the contract's names and of values as requests carry them, the oldest first.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from training.workspace import Workspace, atomic_folder, counted, read_json, say, sha256, write_json
from validation.contract import Contract
from validation.errors import TableError

SHA256, TABLE, LABELLED = "sha256", "table", "labelled"
"""Members of `Workspace.source`: the hash of all data; with rows beside the table, its own hash, and what they are."""


def of_table(source: dict[str, Any]) -> str:
    """The sha256 of the raw table alone, from `Workspace.source`."""
    return str(source.get(TABLE, source[SHA256]))


def to_keep(workspace: Workspace, contract: Contract, data: str | None, given: str | None) -> bytes:
    """The file that is to lie beside the table; empty for none.

    Args:
        workspace: where the table lies.
        contract: what the rows are.
        data: the table that is brought; what lies beside the one before does not stay with it.
        given: a path to the rows; None for those of before.

    Raises:
        TableError: there is no such file, or its rows are not the contract's.
    """
    if not given:
        return workspace.labelled.read_bytes() if not data and workspace.labelled.exists() else b""
    path = Path(given)
    if not path.is_file():
        raise TableError(f"{path} does not exist. --labelled takes a Parquet file.")
    from training.data import ingest, labelled  # pandas takes a second to import, and most runs bring no rows

    if not labelled.count(path):
        return b""
    ingest.read(path, labelled.in_clean_form(contract, path))
    return path.read_bytes()


def put(workspace: Workspace, content: bytes) -> None:
    """Have this file lie beside the raw table, or none if it is empty; what `Workspace.source` says follows."""
    if content == (workspace.labelled.read_bytes() if workspace.labelled.exists() else b""):
        return
    from training.data import labelled

    source = read_json(workspace.source)
    digest = of_table(source)
    source = {name: value for name, value in source.items() if name not in (TABLE, LABELLED)}
    with atomic_folder(workspace.raw) as folder:
        shutil.copytree(workspace.raw, folder, dirs_exist_ok=True)
        file = folder / workspace.labelled.name
        file.unlink(missing_ok=True)
        if content:
            file.write_bytes(content)
            rows, own = labelled.count(file), sha256(file)
            both = hashlib.sha256(f"{digest}{own}".encode()).hexdigest()
            source |= {TABLE: digest, LABELLED: {"rows": rows, "sha256": own}}
            say("source", f"{counted(rows, 'labelled row')} beside the table, sha256 {own[:12]}")
        else:
            both = digest
            say("source", "no labelled rows beside the table any more")
        write_json(folder / Workspace.SOURCE, source | {SHA256: both})

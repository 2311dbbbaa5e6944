"""Which bundle scores: a folder, a version of BentoML's store, or what `make train` packaged last."""

import json
import os
from pathlib import Path

from model import bundle, receipts
from validation.errors import StoreError

_STORE = "stores/bentoml"


def find(named: str) -> Path:
    """The folder of a bundle.

    Args:
        named: a problem for the model that is served, "problem:version" for another of the store, or a folder.

    Raises:
        StoreError: there is none.
    """
    folder = Path(named)
    if (folder / bundle.MANIFEST).is_file():
        return folder
    if "@" in named:
        raise StoreError(
            f"{named} is a name of the registry, and not of the store. `make bento PROBLEM={named}` brings that "
            f"version into the store; then --model {named.partition('@')[0]} is it."
        )
    problem, _, version = named.partition(":")
    receipt = receipts.path(problem)
    if not version and receipt.is_file():
        version = (json.loads(receipt.read_text())["tag"] or "").partition(":")[2]
    store = Path(os.environ.get("BENTOML_HOME") or _STORE, "models")
    found = store / problem / version
    if version and (found / bundle.MANIFEST).is_file():
        return found
    raise StoreError(
        f"There is no model {named!r}: it is neither a folder with a {bundle.MANIFEST} nor in the store at "
        f"{store}. Name a problem that was trained (`make train`), problem:version, or a bundle's folder."
    )

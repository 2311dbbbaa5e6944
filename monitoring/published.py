"""The last verdict in the watch store: the document, its page and its metrics."""

import msgspec

from model.watched import METRICS, REPORT, VERDICT
from monitoring import exposition, report
from monitoring.store import Store
from monitoring.verdict import Verdict


def previous(store: Store) -> Verdict | None:
    """The last verdict; None if there is none, or if it is of a format that is not read any more. Raises StoreError."""
    content = store.read(VERDICT)
    try:
        return None if content is None else msgspec.json.decode(content, type=Verdict)
    except msgspec.DecodeError:
        return None


def write(store: Store, verdict: Verdict) -> None:
    """Write the verdict, its page and its metrics; the verdict last, which tells that the others are there."""
    store.write_bytes(REPORT, report.html(verdict).encode())
    store.write_bytes(METRICS, exposition.text(verdict))
    store.write_bytes(VERDICT, msgspec.json.format(msgspec.json.encode(verdict), indent=1))

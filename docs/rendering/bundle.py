"""The bundle's format: its files from the module that reads them, its documents from their structs."""

import inspect
import re

import msgspec

from docs.rendering.docstrings import attributes, kind, summary, table
from model import bundle, formats
from model.bundle import Golden, Lineage, Manifest
from model.features import Fitted
from model.metrics import Decision, Fork, Group, Metrics, ReliabilityBins, Similar, ThresholdCurve, Tie
from model.reference import Names, Numbers, Reference

_HEAD = """# The bundle's format

A bundle is a folder, and all that leaves training. [Why it proves itself](../decisions/0008-bundle-proves-itself.md)
and [why it carries its contract](../decisions/0021-a-bundle-carries-its-contract.md) have the reasons. A member of
the manifest that is none of these is refused.
"""
_STRUCTS = (
    Manifest,
    Lineage,
    Fitted,
    Metrics,
    Decision,
    ThresholdCurve,
    ReliabilityBins,
    Similar,
    Fork,
    Group,
    Tie,
    Golden,
    Reference,
    Numbers,
    Names,
)


def page() -> str:
    """The whole page."""
    files = re.findall(r"^ {4}(\S+(?:, \S+)?) {2,}(\S.*)$", inspect.getdoc(bundle) or "", re.MULTILINE)
    earlier = ", ".join(str(number) for number in sorted(formats.READERS) if number != formats.FORMAT)
    return "\n\n".join(
        [
            _HEAD.rstrip(),
            f"The format is {formats.FORMAT}. Bundles of the formats {earlier} are read too.",
            f"## Files\n\n{table(('file', 'what it holds'), [(f'`{name}`', text) for name, text in files])}",
            *(f"## {struct.__name__}\n\n{summary(struct)}\n\n{_members(struct)}" for struct in _STRUCTS),
        ]
    )


def _members(struct: type[msgspec.Struct]) -> str:
    said = attributes(struct)
    fields = msgspec.structs.fields(struct)
    if not said:
        return table(("member", "values"), [(f"`{field.encode_name}`", kind(field.type)) for field in fields])
    rows = [(f"`{field.encode_name}`", kind(field.type), said.get(field.name, "")) for field in fields]
    return table(("member", "values", "meaning"), rows)

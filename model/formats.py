"""Documents of bundles that earlier code wrote, as today's code writes them. Nothing here checks what a field holds."""

from collections.abc import Callable, Mapping
from typing import Any

FORMAT = 3
Document = dict[str, Any]


def _second_reference(manifest: Document, reference: Document) -> Document:
    """Until format 2 a column's distribution was deciles or the shares of all names."""
    flags = {column["name"] for column in manifest["contract"] if column["kind"] == "flag"}

    def column(name: str, seen: Document) -> Document:
        if "shares" not in seen:
            return {"of": "numbers", "missing": seen["missing"], "quantiles": seen["deciles"]}
        shares = {key.lower() if name in flags else key: share for key, share in seen["shares"].items()}
        return {"of": "names", "missing": seen["missing"], "shares": shares, "distinct": len(shares)}

    columns = {name: column(name, seen) for name, seen in reference["columns"].items()}
    return {"rows": reference["rows"], "columns": columns}


REFERENCES: Mapping[int, Callable[[Document, Document], Document]] = {
    2: _second_reference,
    FORMAT: lambda manifest, reference: reference,
}
"""reference.json of each format that is read, from a manifest and a document of that format."""

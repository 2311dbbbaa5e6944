"""Columns that nearly say the same: what to tell of rows in which one of them changed without the other."""

from collections.abc import Collection

from ui.described import Model


def sentences(model: Model, changed: Collection[str]) -> list[str]:
    """A sentence for each tie between a column that changed and one that did not; the strongest tie first."""
    return [
        f"{model.title_of(one)} goes together with {model.title_of(other)} ({tie['measure']} {tie['size']:.2f}): rows "
        "that differ in one of them alone may not exist."
        for tie in model.ties
        for one, other in ((tie["one"], tie["other"]), (tie["other"], tie["one"]))
        if one in changed and other not in changed
    ]

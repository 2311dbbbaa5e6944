"""Which models a service holds: exact tags, given as an argument or read from the model store's receipts.

The receipts are packaged into the Bento with the code, so a Bento serves the models it was built with, whatever the
store holds later: BentoML itself would resolve a bare name again and serve the newest version.
"""

from pathlib import Path

from model import receipts
from validation.errors import SettingsError


def tags(argument: str, folder: Path) -> list[str]:
    """The exact tags of the models to serve, the default first; of several versions the one that is asked unless said.

    Args:
        argument: `name:version,…` as `--arg models=…` gives it, or "" for all that were packaged.
        folder: where the code lies, in a checkout or in a Bento.

    Raises:
        SettingsError: a tag is not exact or stands twice, or there is none at all.
    """
    requested = [tag.strip() for tag in argument.split(",") if tag.strip()]
    for tag in requested:
        if not receipts.TAG.fullmatch(tag):
            raise SettingsError(f"models={argument}: {tag!r} is not an exact tag like name:0123456789abcdef.")
    chosen = requested or receipts.tags(folder)
    if not chosen:
        raise SettingsError("There is no packaged model to serve. Run `make train` first.")
    if len(set(chosen)) != len(chosen):
        raise SettingsError(f"models={argument} names a version twice.")
    return chosen

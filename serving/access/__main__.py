"""python -m serving.access new | list | revoke: the keys of a service, in the file that BOXWOOD_API_KEYS names."""

import argparse
import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec

from serving.access import keys
from serving.access.keys import Entry, Verb
from validation.errors import SettingsError

VARIABLE = "BOXWOOD_API_KEYS"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exits with a sentence where it cannot."""
    options = _options(arguments)
    if not options.file:
        sys.exit(f"Say which file with --file, or with {VARIABLE}.")
    try:
        options.run(options, Path(options.file))
    except SettingsError as error:
        sys.exit(str(error))


def _new(options: argparse.Namespace, path: Path) -> None:
    now = _now()
    with keys.changing(path) as document:
        given = {name: value for name in _GIVEN if (value := getattr(options, name)) is not None}
        if options.days is not None:
            given["expires"] = now + datetime.timedelta(days=options.days)
        basis: dict[str, object] = {} if options.like is None else _rights(document.entry(options.like))
        key = keys.added(document, Entry(id=options.id, created=now, **{**basis, **given}))
    if options.subject:
        print(f"'{options.subject}' may ask as '{options.id}', with an identity token.", file=sys.stderr)
    else:
        print("This is the only time that the key is shown; the file has its hash.", file=sys.stderr)
        print(key)


def _rights(entry: Entry) -> dict[str, object]:
    """What an entry may do, for another one that may do the same."""
    own = ("id", "hash", "subject", "created", "expires")
    return {name: getattr(entry, name) for name in entry.__struct_fields__ if name not in own}


def _list(options: argparse.Namespace, path: Path) -> None:
    now = _now()
    for entry in keys.read(path).keys:
        over = entry.expires is not None and entry.expires <= now
        shown = msgspec.to_builtins(entry)
        shown.pop("hash", None)
        print(msgspec.json.encode({"id": entry.id, "works": not over, **shown}).decode())


def _revoke(options: argparse.Namespace, path: Path) -> None:
    with keys.changing(path) as document:
        expires = _now() + datetime.timedelta(days=options.after)
        entry = document.entry(options.id)
        entry.expires = min(expires, entry.expires or expires)
    print(f"The key '{options.id}' is refused from {entry.expires:%Y-%m-%dT%H:%M:%SZ} on.", file=sys.stderr)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


_GIVEN = ("subject", "models", "verbs", "rows_per_second", "burst_rows", "rows_per_day")
"""Options of `new` that are members of an entry."""


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    file = argparse.ArgumentParser(add_help=False)
    file.add_argument("--file", default=os.environ.get(VARIABLE, ""), help=f"of the keys; else {VARIABLE} names it")
    parser = argparse.ArgumentParser(prog="python -m serving.access", description=__doc__)
    commands = parser.add_subparsers(required=True)
    new = commands.add_parser("new", parents=[file], help="make a key, and print it once")
    new.add_argument("id", help="of the caller: a-z, 0-9, dots and hyphens")
    new.add_argument("--like", metavar="ID", help="may do what this one may, where nothing else is said")
    new.add_argument("--subject", help="of identity tokens, instead of a key: their `sub` or verified `email`")
    new.add_argument("--models", nargs="+", metavar="MODEL", help="that it may ask, * for all (the default)")
    new.add_argument("--verbs", nargs="+", choices=get_args(Verb), help="what it may ask; by default both")
    new.add_argument("--days", type=_days, help="until it expires")
    new.add_argument("--rows-per-second", type=_count)
    new.add_argument("--burst-rows", type=_count, help="the most at once; by default those of a second")
    new.add_argument("--rows-per-day", type=_count)
    new.set_defaults(run=_new)
    commands.add_parser("list", parents=[file], help="say what keys there are").set_defaults(run=_list)
    revoke = commands.add_parser("revoke", parents=[file], help="refuse a key from now on")
    revoke.add_argument("id")
    revoke.add_argument("--after", type=_days, default=0, metavar="DAYS", help="from then on only")
    revoke.set_defaults(run=_revoke)
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    return _number(text, 10**12)


def _days(text: str) -> int:
    return _number(text, 36_500)


def _number(text: str, most: int) -> int:
    if not text.isdecimal() or len(text) > len(str(most)) or int(text) > most:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no whole number from 0 to {most}")
    return int(text)


if __name__ == "__main__":
    main()

"""python -m model.signing COMMAND: make a pair of keys, sign bundles, and check signatures.

A bundle is a folder with a manifest.json: data/flights/bundle, or a model of the BentoML store
(`bentoml models get flights:… --output path`).
"""

import argparse
import sys
from pathlib import Path

from model import bundle, signatures
from validation.errors import BoxwoodError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors become a sentence and exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "keys":
            signatures.write_pair(options.private, options.public)
            print(f"{options.private} signs; keep it out of images and repositories. {options.public} checks.")
            return 0
        for directory in options.bundles:
            _run(options, directory)
    except (BoxwoodError, OSError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, directory: Path) -> None:
    if options.command == "sign":
        opened = bundle.read(directory)  # nothing damaged is vouched for
        signatures.sign(directory, options.key, bundle.MANIFEST)
    else:
        opened = bundle.read(directory, signatures.Trusted(options.keys))
    done = "signed" if options.command == "sign" else "is whole, and signed by a trusted key"
    print(f"{directory}: {opened.manifest.problem} {opened.manifest.version} {done}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model.signing", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    keys = commands.add_parser("keys", help="make a pair of keys: PRIVATE.pem and PUBLIC.pem")
    keys.add_argument("private", type=Path, metavar="PRIVATE")
    keys.add_argument("public", type=Path, metavar="PUBLIC")
    sign = commands.add_parser("sign", help="sign bundles with a private key")
    sign.add_argument("key", type=Path, metavar="PRIVATE")
    verify = commands.add_parser("verify", help="check bundles: their hashes, and who signed them")
    verify.add_argument("keys", metavar="KEYS", help=f"as {signatures.TRUSTED_KEYS} names them")
    for command in (sign, verify):
        command.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE")
    return parser


if __name__ == "__main__":
    sys.exit(main())

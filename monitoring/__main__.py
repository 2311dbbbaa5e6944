"""python -m monitoring COMMAND MODEL: what becomes of a model's answers."""

import argparse
import sys

import msgspec

from monitoring import retrain, runs
from monitoring.store import Store
from validation.errors import BoxwoodError

FINE, FAILED = 0, 1


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors of ours become a sentence and exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except (BoxwoodError, OSError) as error:
        print(f"{options.command} {options.model}: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    retrains = commands.add_parser(
        "retrain", help="after an alarm: train on the table and on labelled rows, and decide"
    )
    retrains.add_argument("--data", help="a newer table, which is brought first")
    retrains.add_argument("--scheduled", action="store_true", help="whatever the verdict says")
    retrains.add_argument("--learn", action="store_true", help="only what takes long and needs no registry")
    lists = commands.add_parser("runs", help="list the retraining runs and what came of them")
    lists.add_argument("--json", action="store_true", help="as JSON")
    for command in (retrains, lists):
        command.add_argument("model")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.command == "runs":
        found = runs.listed(Store(options.model))
        print(msgspec.json.encode(found).decode() if options.json else runs.table(found))
        return FINE
    from monitoring.outcomes import labelled

    wanted = retrain.Wanted(options.model, options.data or None, options.scheduled)
    if options.learn:
        retrain.learn(wanted, labelled)
        return FINE
    return FAILED if retrain.main(wanted, labelled).status == "failed" else FINE


if __name__ == "__main__":
    sys.exit(main())

"""python -m scoring COMMAND: tables of any size, scored by the model that answers requests."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from validation.errors import BoxwoodError, SettingsError

if TYPE_CHECKING:
    from scoring.engines import Engine

FINE, FAILED, INTERRUPTED = 0, 1, 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors of ours become a sentence and exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except BoxwoodError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"{options.command}: stopped; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scoring", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_score, _add_verify):
        add(commands)
    return parser


def _add_score(commands: Any) -> None:
    command = commands.add_parser("score", help="score a table, and go on where a run of the same was interrupted")
    command.add_argument("source", metavar="IN", help="Parquet, CSV or Arrow: a file, a folder or a pattern, anywhere")
    command.add_argument("out", metavar="OUT", help="a folder, or a prefix of a bucket")
    command.add_argument("--model", required=True, help="a problem, problem:version, or the folder of a bundle")
    command.add_argument("--explain", action="store_true", help="SHAP values beside the answers")
    command.add_argument("--drop", nargs="+", default=[], metavar="COLUMN", help="columns that are left out")
    command.add_argument("--drop-others", action="store_true", help="all columns that the model does not know, too")
    command.add_argument("--rows", type=_count, default=0, help="of a partition, 262,144 by default; of a new output")
    command.add_argument("--workers", type=_count, default=0, help="processes, one a processor by default")
    command.add_argument("--engine", choices=["spark", "dask"], help="score on a cluster; needs one of the next two")
    command.add_argument("--master", default="", help="Spark's; local[*] by default")
    command.add_argument("--scheduler", default="", help="Dask's, as tcp://host:8786")
    command.set_defaults(run=_score)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_count.__name__ = "number above 0"  # what argparse calls it


def _score(options: argparse.Namespace) -> int:
    from scoring import models, run
    from scoring.columns import Dropped

    if not options.source or not options.out:
        raise SettingsError("Name the table and where its answers go: make score IN=tables OUT=scored.")
    engine = _engine(options)
    dropped = Dropped(frozenset(options.drop), options.drop_others)
    wanted = run.Wanted(
        options.source, options.out, models.find(options.model), options.explain, dropped,
        options.rows, options.workers, engine,
    )  # fmt: skip
    found = run.score(wanted)
    print(f"score: {run.summary(found)}")
    good, bad = run.counts(found)
    return FAILED if bad and not good else FINE


def _engine(options: argparse.Namespace) -> "Engine | None":
    """What scores in place of processes of this machine; raises SettingsError for an option that it would pass over."""
    from scoring.engines import Engine

    for option, value, engine in (("master", options.master, "spark"), ("scheduler", options.scheduler, "dask")):
        if value and options.engine != engine:
            raise SettingsError(f"--{option} needs --engine {engine}.")
    if options.engine is None:
        return None
    if options.workers:
        raise SettingsError(f"--workers counts processes of this machine; with --engine {options.engine} leave it out.")
    if options.engine == "dask" and not options.scheduler:
        raise SettingsError("--engine dask needs --scheduler: its address, as tcp://host:8786.")
    return Engine(options.engine, options.scheduler or options.master or "local[*]")


def _add_verify(commands: Any) -> None:
    command = commands.add_parser("verify", help="prove that each row is in one output or the quarantine, once")
    command.add_argument("out", metavar="OUT")
    command.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> int:
    from scoring import run, verify

    wrong, found = verify.problems(options.out)
    for sentence in wrong[:20]:
        print(f"verify: {sentence}", file=sys.stderr)
    if wrong or found is None:
        return FAILED
    print(f"verify: {run.summary(found)}; each row of the input is in one of them, once")
    return FINE


if __name__ == "__main__":
    sys.exit(main())

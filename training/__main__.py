"""python -m training STAGE PROBLEM: the pipeline's stages as dvc.yaml runs them, and what goes around them."""

import argparse
import importlib
import sys

from problems import base
from training import stores
from training.workspace import Workspace
from validation.errors import BoxwoodError, TableError

STAGES = ("source", "ingest", "clean", "split", "train", "bundle", "evaluate", "plot", "register", "package")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors of ours become a sentence and exit code 1."""
    options = _parser().parse_args(arguments)
    stores.configure()
    try:
        _run(options)
    except (BoxwoodError, OSError) as error:
        print(f"{options.command} {options.problem}: {error}", file=sys.stderr)
        if isinstance(error, TableError) and options.command in STAGES[1:]:
            print(
                f"The table stays in {Workspace(options.problem).raw} until another is brought: "
                f"`make train PROBLEM={options.problem} DATA=path-or-URL`. What is served has not changed.",
                file=sys.stderr,
            )
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="`make train`: bring the table, run the stages that are due, report")
    report = commands.add_parser("report", help="print the metrics of the last evaluation")
    columns = commands.add_parser("columns", help="print the contract as a Markdown table")
    for stage in STAGES:
        commands.add_parser(stage, help=f"the stage '{stage}' of dvc.yaml")
    for command in (run, commands.choices["source"]):
        command.add_argument("--data", help='path or URL of a table, or "simulated"')
    for command in (run, report, columns, *(commands.choices[stage] for stage in STAGES)):
        command.add_argument("problem", help=f"one of: {', '.join(base.names())}")
    registry = commands.add_parser("registry", help="versions in the registry: list, show, diff, promote, rollback")
    registry.add_argument("action", choices=("list", "show", "diff", "promote", "rollback"))
    registry.add_argument("problem", help=f"one of: {', '.join(base.names())}")
    registry.add_argument("versions", nargs="*", default=[], metavar="VERSION", help="numbers of registered versions")
    return parser


def _run(options: argparse.Namespace) -> None:
    problem = base.load(options.problem)
    if options.command in ("run", "source"):
        importlib.import_module(f"training.{options.command}").main(problem, options.data)
        return
    if options.command == "registry":
        from training import registry

        with stores.in_use():
            registry.main(problem, options.action, options.versions)
        return
    # each stage imports what it needs: MLflow alone takes seconds
    main_of_stage = importlib.import_module(f"training.{options.command}").main
    if options.command in STAGES[-2:]:
        if stores.experiment(Workspace(problem.name), options.command):
            return
        with stores.in_use():
            main_of_stage(problem)
    else:
        main_of_stage(problem)


if __name__ == "__main__":
    sys.exit(main())

"""python -m training STAGE PROBLEM: the pipeline's stages as dvc.yaml runs them, and what goes around them."""

import argparse
import importlib
import sys
from pathlib import Path

from problems import base
from problems.base import Problem
from training import wanted
from training.registry import stores
from training.workspace import Workspace
from validation.errors import BoxwoodError, TableError

STAGES = {
    "source": "data",
    "ingest": "data",
    "clean": "data",
    "split": "data",
    "train": "learning",
    "bundle": "learning",
    "evaluate": "evaluation",
    "plot": "evaluation",
    "register": "registry",
    "package": "registry",
}
"""The stages of dvc.yaml in their order, and the package of training/ that has the module of each."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors of ours become a sentence and exit code 1."""
    options = _parser().parse_args(arguments)
    stores.configure()
    try:
        _run(options)
    except (BoxwoodError, OSError) as error:
        print(f"{options.command} {options.problem}: {error}", file=sys.stderr)
        if isinstance(error, TableError) and options.command in STAGES and options.command != "source":
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
        command.add_argument("--sheet", help="which sheet of a workbook")
    run.add_argument("--tags", type=Path, metavar="FILE", help="write the exact tags of what is to be served there")
    run.add_argument("problem", help="NAME, NAME@VERSION or NAME@ALIAS of the registry, or several with commas between")
    for command in (report, columns, *(commands.choices[stage] for stage in STAGES)):
        command.add_argument("problem", help=f"one of: {', '.join(base.names())}")
    registry = commands.add_parser(
        "registry", help="versions in the registry: list, champion, show, diff, promote, rollback"
    )
    registry.add_argument("action", choices=("list", "champion", "show", "diff", "promote", "rollback"))
    registry.add_argument("problem", help=f"one of: {', '.join(base.names())}")
    registry.add_argument(
        "versions", nargs="*", default=[], metavar="VERSION", help="numbers or aliases of registered versions"
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.command == "run":
        from training import run

        run.main(wanted.read(options.problem), options.data, options.sheet, options.tags)
        return
    problem = base.load(options.problem)
    # each command imports what it needs: MLflow alone takes seconds
    match options.command:
        case "source":
            from training.data import source

            source.main(problem, options.data, options.sheet)
        case "report" | "columns" as command:
            importlib.import_module(f"training.evaluation.{command}").main(problem)
        case "registry":
            from training.registry import commands

            with stores.in_use():
                commands.main(problem, options.action, options.versions)
        case stage:
            _run_stage(problem, stage)


def _run_stage(problem: Problem, stage: str) -> None:
    main_of_stage = importlib.import_module(f"training.{STAGES[stage]}.{stage}").main
    if STAGES[stage] != "registry":
        main_of_stage(problem)
    elif not stores.experiment(Workspace(problem.name), stage):
        with stores.in_use():
            main_of_stage(problem)


if __name__ == "__main__":
    sys.exit(main())

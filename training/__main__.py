"""python -m training STAGE PROBLEM: the pipeline's stages as dvc.yaml runs them, and what goes around them."""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

from problems import base
from problems.base import Problem
from training import wanted
from training.draft import names
from training.registry import stores
from training.workspace import Workspace, say
from validation.errors import BoxwoodError, SettingsError, TableError

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

_DRAFT = """Reads a table that nobody has described, and writes problems/NAME/__init__.py: what its columns are, with
a comment beside each decision that may be wrong. `make train PROBLEM=NAME` goes on from it, edited or not."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors of ours become a sentence and exit code 1."""
    options = _parser().parse_args(arguments)
    stores.configure()
    try:
        _run(options)
    except (BoxwoodError, OSError) as error:
        print(f"{' '.join(filter(None, (options.command, options.problem)))}: {error}", file=sys.stderr)
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
    draft = commands.add_parser(
        "draft", help="write problems/NAME/__init__.py for a table that has no problem", description=_DRAFT
    )
    eda = commands.add_parser("eda", help="`make eda`: write build/eda/NAME.html, a page that shows a table")
    report = commands.add_parser("report", help="print the metrics of the last evaluation")
    columns = commands.add_parser("columns", help="print the contract as a Markdown table")
    for stage in STAGES:
        commands.add_parser(stage, help=f"the stage '{stage}' of dvc.yaml")
    _add_tables(run, draft, commands.choices["source"])
    _add_eda(eda)
    for command in (report, columns, *(commands.choices[stage] for stage in STAGES)):
        command.add_argument("problem", help=f"one of: {', '.join(base.names())}")
    tune = commands.add_parser("tune", help="`make tune`: try other parameters of LightGBM on held-out rows")
    tune.add_argument("problem", help=f"one of: {', '.join(base.names())}")
    tune.add_argument("--trials", type=int, default=50, help="how many parameter sets in all, with those of before")
    tune.add_argument("--minutes", type=float, help="after so many no trial begins")
    tune.add_argument("--write", action="store_true", help="put the best into params.yaml")
    registry = commands.add_parser(
        "registry", help="versions in the registry: list, champion, show, diff, promote, rollback, sign"
    )
    registry.add_argument("action", choices=("list", "champion", "show", "diff", "promote", "rollback", "sign"))
    registry.add_argument("problem", help=f"one of: {', '.join(base.names())}")
    registry.add_argument(
        "versions", nargs="*", default=[], metavar="VERSION", help="numbers or aliases of registered versions"
    )
    return parser


def _add_tables(run: argparse.ArgumentParser, draft: argparse.ArgumentParser, source: argparse.ArgumentParser) -> None:
    """The options that say what is trained on."""
    for command in (run, draft, source):
        command.add_argument("--data", help='path or URL of a table, or "simulated"')
        command.add_argument("--sheet", help="which sheet of a workbook")
    for command in (run, source):
        command.add_argument(
            "--labelled", metavar="FILE", help="answered rows whose true values have come, to lie beside the table"
        )
    run.add_argument(
        "--scheduler", metavar="ADDRESS", help="train on the cluster of this scheduler of Dask, as tcp://host:8786"
    )
    run.add_argument("--learn", action="store_true", help="stop before the registry, which need not be there")
    run.add_argument("--target", help="the header of what is predicted: drafts the problem if there is none")
    draft.add_argument("--target", required=True, help="the header of what is predicted")
    draft.add_argument("problem", nargs="?", help="what to call it; after the file if left out")
    run.add_argument("--tags", type=Path, metavar="FILE", help="write the exact tags of what is to be served there")
    run.add_argument(
        "problem",
        nargs="?",
        default="",
        help="NAME, NAME@VERSION or NAME@ALIAS of the registry, or several with commas between",
    )


def _add_eda(eda: argparse.ArgumentParser) -> None:
    eda.add_argument("problem", nargs="?", default="", help="whose table it is; after the file if left out")
    eda.add_argument("--data", help='path or URL of a table, or "simulated"; the one that is trained on if left out')
    eda.add_argument("--target", help="the header of what is predicted, where there is no such problem yet")
    eda.add_argument("--sheet", help="which sheet of a workbook")


def _run(options: argparse.Namespace) -> None:
    # the problem of these need not be there
    first = {"run": _train, "draft": _draft, "eda": _explore}.get(options.command)
    if first is not None:
        first(options)
        return
    problem = base.load(options.problem)
    # each command imports what it needs: MLflow alone takes seconds
    match options.command:
        case "source":
            from training.data import source

            source.main(problem, options.data, options.sheet, options.labelled)
        case "report" | "columns" as command:
            importlib.import_module(f"training.evaluation.{command}").main(problem)
        case "registry":
            from training.registry import commands

            with stores.in_use():
                commands.main(problem, options.action, options.versions)
        case "tune":
            with stores.in_use():
                from training.tuning import tune

                tune.main(problem, options.trials, options.minutes, write=options.write)
        case stage:
            _run_stage(problem, stage)


def _train(options: argparse.Namespace) -> None:
    from training import run

    if options.scheduler:
        _run_on_cluster(options)
        return
    table = run.Table(options.data, options.sheet, options.labelled)
    if options.target and _drafted(options):
        table = run.Table()  # the draft has brought it
    if options.learn:
        run.learn(base.load(options.problem), table)
        return
    run.main(wanted.read(options.problem), table, options.tags)


def _explore(options: argparse.Namespace) -> None:
    from training.exploring import eda

    eda.main(options.problem, options.data or None, options.target or None, options.sheet or None)


def _run_on_cluster(options: argparse.Namespace) -> None:
    """Train on Dask; raises SettingsError for what a cluster does not do, or where Dask is missing."""
    if not options.data:
        raise SettingsError(
            "A cluster trains on a folder of Parquet files that all its workers can read: say which, DATA=address."
        )
    if options.labelled or options.target or options.sheet or options.learn:
        raise SettingsError(
            "With a scheduler there is DATA and nothing else: problems are drafted on one machine, and labelled rows "
            "are learned from there."
        )
    [wanted_here, *others] = wanted.read(options.problem)
    if others or wanted_here.called:
        raise SettingsError("A cluster trains one problem: say which with PROBLEM=name, without a version.")
    try:
        from training.distributed import run
    except ModuleNotFoundError as error:
        raise SettingsError(f"--scheduler needs {error.name}, which `make engines` installs.") from error
    run.main(wanted_here.problem, options.data, options.scheduler)


def _drafted(options: argparse.Namespace) -> bool:
    """Draft the problem if there is none; a problem that is there is used as somebody edited it, which is said."""
    name = options.problem or names.of_problem(options.data or "")
    options.problem = name
    if name not in base.names():
        _draft_apart(options)
        return True
    target = base.load(name).contract.target
    if options.target not in (target.name, target.source):
        raise SettingsError(
            f"problems/{name} predicts {target.source!r}, and not {options.target!r}. For another target draft another "
            "problem: PROBLEM=name."
        )
    say("run", f"problems/{name} is there and used as it is")
    return False


def _draft_apart(options: argparse.Namespace) -> None:
    """Draft in a process of its own, whose memory is free again while the stages run; exits as it does if it fails."""
    asked = (f"--data={options.data or ''}", f"--target={options.target}", f"--sheet={options.sheet or ''}")
    done = subprocess.run([sys.executable, "-m", "training", "draft", options.problem, *asked], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    importlib.invalidate_caches()


def _draft(options: argparse.Namespace) -> None:
    from training.draft import draft

    if not options.target:
        raise SettingsError("A draft needs to know what is predicted: say which column with TARGET=header.")
    if not options.data:
        raise SettingsError("A draft needs a table: say which with DATA=path-or-URL.")
    options.problem = options.problem or names.of_problem(options.data)
    draft.main(options.data, options.target, options.problem, options.sheet or None)


def _run_stage(problem: Problem, stage: str) -> None:
    main_of_stage = importlib.import_module(f"training.{STAGES[stage]}.{stage}").main
    if STAGES[stage] != "registry":
        main_of_stage(problem)
    elif not stores.experiment(Workspace(problem.name), stage):
        with stores.in_use():
            main_of_stage(problem)


if __name__ == "__main__":
    sys.exit(main())

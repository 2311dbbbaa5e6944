"""python -m monitoring COMMAND: what is made of the answers that a service journals."""

import argparse
import datetime
import os
import sys
from typing import Any

from problems import base
from validation.errors import BoxwoodError, StoreError

FINE, FAILED = 0, 1
_ASKED = {"shadow": "asked beside the champion", "challenger": "answered a share"}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors of ours become a sentence and exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        if "model" in options:
            _check(options.model)
        code: int = options.run(options)
    except (BoxwoodError, OSError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return FAILED
    return code


def _check(model: str) -> None:
    """Refuse a mistyped name, which would look like a model without answers; raises ContractError."""
    from monitoring.store import Store

    if model not in base.names() and not (model.isidentifier() and Store(model).names("")):
        base.load(model)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_compact, _add_drift, _add_outcomes, _add_compare, _add_retrain, _add_runs):
        add(commands)
    return parser


# commands import what they need: pandas alone takes a second


def _add_compact(commands: Any) -> None:
    command = commands.add_parser("compact", help="bring what is new in the journal into the watch store")
    command.add_argument("--journal", default="", help="its address; BOXWOOD_JOURNAL, else stores/journal")
    command.set_defaults(run=_compact)


def _compact(options: argparse.Namespace) -> int:
    from monitoring import compact, lines

    done = compact.compact(lines.journal(options.journal))
    if options.journal and not done.files:
        raise StoreError(f"There is no journal at {options.journal}.")
    print(done)
    return FINE


def _add_drift(commands: Any) -> None:
    command = commands.add_parser(
        "drift",
        help="judge the latest answers, and write verdict, report and metrics",
        epilog="exit codes: 0 as before or harmless, 3 alarm, 4 not enough rows",
    )
    command.add_argument("model")
    command.add_argument("--days", type=int, help="of the window; the fewest, up to a week, that have enough rows")
    command.add_argument("--until", default="", metavar="DATE", help="its last day, the last one with answers")
    command.set_defaults(run=_drift)


def _drift(options: argparse.Namespace) -> int:
    from monitoring import drift

    return drift.main(options.model, options.days, options.until)


def _add_outcomes(commands: Any) -> None:
    command = commands.add_parser("outcomes", help="join true values, which came late, with the answers")
    command.add_argument("model")
    command.add_argument("table", help="CSV, Parquet or JSON lines: `prediction_id` or keys, and the target")
    command.set_defaults(run=_outcomes)


def _outcomes(options: argparse.Namespace) -> int:
    from monitoring import outcomes
    from monitoring.store import Store

    contract = base.load(options.model).contract
    brought = outcomes.bring(Store(options.model), contract, options.table, os.environ.get(outcomes.SECRET, ""))
    print(brought)
    return FAILED if brought.refused and not brought.good else FINE


def _add_compare(commands: Any) -> None:
    command = commands.add_parser("compare", help="compare a shadow or a challenger with the champion")
    command.add_argument("model")
    command.add_argument("--days", type=int, default=30, help="how many days, up to today")
    command.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    from monitoring import counts, reference, rivals
    from monitoring.params import MonitorParams
    from monitoring.store import Store
    from problems import parameters

    store, last = Store(options.model), datetime.datetime.now(datetime.UTC).date()
    params = parameters.section(options.model, "monitor", MonitorParams)
    version = counts.champion(store, last, params.fewest_rows)
    watched = reference.load(store, options.model, version).watched
    found = rivals.compare(store, watched, last - datetime.timedelta(days=options.days - 1), last)
    told = [f"{_ASKED[rival.role]}: {rival.sentence}" for rival in found]
    print("\n".join(told or [f"No version answered beside {version}."]))
    return FINE


def _add_retrain(commands: Any) -> None:
    command = commands.add_parser(
        "retrain", help="after an alarm: train on the table and on labelled rows, and let the registry decide"
    )
    command.add_argument("model")
    command.add_argument("--data", help="a newer table, which is brought first")
    command.add_argument("--scheduled", action="store_true", help="whatever the verdict says")
    command.add_argument("--learn", action="store_true", help="only what takes long and needs no registry")
    command.set_defaults(run=_retrain)


def _retrain(options: argparse.Namespace) -> int:
    from monitoring import retrain
    from monitoring.outcomes import labelled

    wanted = retrain.Wanted(options.model, options.data or None, options.scheduled)
    if options.learn:
        retrain.learn(wanted, labelled)
        return FINE
    return FAILED if retrain.main(wanted, labelled).status == "failed" else FINE


def _add_runs(commands: Any) -> None:
    command = commands.add_parser("runs", help="list the retraining runs and what came of them")
    command.add_argument("model")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=_runs)


def _runs(options: argparse.Namespace) -> int:
    import msgspec

    from monitoring import runs
    from monitoring.store import Store

    found = runs.listed(Store(options.model))
    print(msgspec.json.encode(found).decode() if options.json else runs.table(found))
    return FINE


if __name__ == "__main__":
    sys.exit(main())

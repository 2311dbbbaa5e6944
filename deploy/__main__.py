"""python -m deploy rollout | rollback | status | history | alerts: what Cloud Run serves, who hears of trouble."""

import argparse
import datetime
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deploy import config, golden
from deploy.cloud import alerts
from deploy.config import Config
from deploy.errors import ConfigError, DeployError
from deploy.release import lease, revisions, traffic
from deploy.release.cloud_run import CloudRun
from deploy.release.ledger import Entry, Ledger
from deploy.release.rollback import rollback
from deploy.release.rollout import Rollout

_FILE = Path(__file__).parent / "cloudrun.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = config.read(
            options.config,
            project=options.project or os.environ.get("CLOUDSDK_CORE_PROJECT"),
            region=options.region or os.environ.get("CLOUDSDK_RUN_REGION"),
        )
        options.run(options, settings)
    except DeployError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f"{options.command}: {str(error) or 'Interrupted.'}", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    parser.add_argument("--config", type=Path, default=_FILE, help="the file of settings (default: %(default)s)")
    parser.add_argument("--project", help="the Google Cloud project, instead of the file's")
    parser.add_argument("--region", help="the region, instead of the file's")
    commands = parser.add_subparsers(dest="command", required=True)
    rollout = commands.add_parser("rollout", help="give a new image the traffic, step by step")
    rollout.add_argument("image", help="the image by its digest: …@sha256:…")
    rollout.add_argument("--bento", help="the Bento in it: its tag in the store, or an exported one's folder")
    rollout.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")
    rollout.set_defaults(run=_rollout)
    rollback = commands.add_parser("rollback", help="give all traffic back, at once")
    rollback.add_argument(
        "--to", default="", help="an image, or a revision of it, or a part of either, instead of what served before"
    )
    rollback.add_argument("--why", default="", help="a sentence for the ledger")
    rollback.set_defaults(run=_rollback)
    commands.add_parser("status", help="what Cloud Run serves now").set_defaults(run=_status)
    history = commands.add_parser("history", help="what the ledger has")
    history.add_argument("--on", type=datetime.date.fromisoformat, help="what served on that day (UTC), YYYY-MM-DD")
    history.set_defaults(run=_history)
    alerting = commands.add_parser("alerts", help="objectives, the uptime check and alert policies in Cloud Monitoring")
    alerting.add_argument("--notify", action="append", help="an e-mail or https address that is told; may be repeated")
    alerting.add_argument("--remove", action="store_true", help="remove all that this command has made")
    alerting.set_defaults(run=_alerts)
    return parser


def _rollout(options: argparse.Namespace, settings: Config) -> None:
    if not options.bento and any(service.transport != "page" for service in settings.services):
        raise ConfigError("Say which Bento the image holds, whose golden rows it has to answer: --bento TAG.")
    bento = golden.read(options.bento) if options.bento else golden.Bento()
    rollout = Rollout(settings, CloudRun(settings.parent), options.image, bento, _who(), _say)
    if options.dry_run:
        for step in rollout.plan():
            _say(step)
    else:
        rollout.run()


def _rollback(options: argparse.Namespace, settings: Config) -> None:
    rollback(settings, CloudRun(settings.parent), options.to, _who(), options.why, _say)


def _status(options: argparse.Namespace, settings: Config) -> None:
    cloud = CloudRun(settings.parent)
    for configured in settings.services:
        service = cloud.service(configured.name)
        if service is None:
            _say(f"{configured.name}: not there")
            continue
        _say(f"{configured.name} ({configured.transport}) at {service.uri}")
        split, tags = traffic.observed(service), traffic.tags(service)
        for revision in dict.fromkeys((*split, *tags.values())):
            facts = revisions.facts(cloud.revision(configured.name, revision))
            tagged = ", ".join(tag for tag, of in tags.items() if of == revision)
            what = f"{facts.get('models', '')} {facts.get('bento', '')} {facts.get('image', '')}"
            _say(f"  {split.get(revision, 0):3d} %  {revision}  {tagged}  {what}")
        if (running := lease.of(service)) is not None:
            _say(f"  {running.what} of {running.image} by {running.by}, until {running.until:%Y-%m-%d %H:%M} UTC")


def _history(options: argparse.Namespace, settings: Config) -> None:
    ledger = Ledger(settings.ledger)
    records: Sequence[tuple[datetime.datetime, Entry]] = (
        [(entry.at, entry) for entry in ledger.entries()] if options.on is None else list(ledger.on(options.on))
    )
    if not records:
        raise ConfigError(f"{settings.ledger} has nothing" + ("." if options.on is None else f" about {options.on}."))
    for since, entry in records:
        why = f": {entry.why}" if entry.why else ""
        _say(f"{since:%Y-%m-%d %H:%M:%S} UTC  {entry.what} by {entry.by}{why}")
        for service, shares in entry.after.items():
            for revision, percent in shares.items():
                facts = entry.revisions.get(revision, {})
                _say(f"    {service}  {percent:3d} %  {revision}  {facts.get('models', '')}  {facts.get('bento', '')}")


def _alerts(options: argparse.Namespace, settings: Config) -> None:
    if options.remove:
        alerts.remove(settings, _say)
    else:
        alerts.apply(settings, CloudRun(settings.parent), options.notify or (), _say)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """What ends a process gets the same care as Ctrl-C, and a second signal does not cut the way back off."""
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _who() -> str:
    actor, run = os.environ.get("GITHUB_ACTOR"), os.environ.get("GITHUB_RUN_ID")
    return f"{actor} (workflow run {run})" if actor else f"{os.environ.get('USER', os.getuid())}@{socket.gethostname()}"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, _interrupted)
    sys.exit(main())

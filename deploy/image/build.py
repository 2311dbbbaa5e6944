"""python -m deploy.image.build TAG: a Bento, or `ui`, the page, as an image, built by docker, podman or buildah."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from deploy.image.trim import WHEN

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BASE = "docker.io/library/python:3.11-slim"
PREFIX = "boxwood."
"""Of the labels that are ours."""
STANDARD = "org.opencontainers.image."
"""Of those that every image has."""
SERVICE, PAGE = "boxwood", "boxwood-page"
"""Their titles."""
_BUILDERS = ("docker", "podman", "buildah")
_CHAIN = ("registry_version", "mlflow_run", "data_sha256", "git_commit")
"""What `GET /v1/models/{model}` has as a model's lineage, and the labels too."""
_UI = "ui"


class Own(NamedTuple):
    """What an image has besides locked packages.

    Attributes:
        folder: where it lies in the context, and the target in Containerfile.
        lock: its requirements, with hashes.
        labels: what it alone says about itself.
    """

    folder: str
    lock: str
    labels: Mapping[str, str]


def main() -> None:
    """Fill a folder with what the image is made of, build it, and say what it is called."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.image.build",
        description=__doc__,
        epilog="Other options are the builder's, like --no-cache.",
    )
    parser.add_argument("what", metavar="TAG", help=f"the Bento, or `{_UI}`")
    parser.add_argument("--name", default=f"{SERVICE}:latest", help="of the image")
    parser.add_argument("--base", default=BASE, help="the image below; NAME@sha256:… pins it")
    parser.add_argument("--context", type=Path, default=Path("stores/image"), help="a folder for what it is built of")
    options, others = parser.parse_known_args()
    builder = working(_BUILDERS)
    if builder is None:
        sys.exit(f"No image was built: none of {', '.join(_BUILDERS)} works here. Install one and see that it does.")
    own = prepare(options.what, options.context)
    arguments = _arguments(builder, options.name, options.base, options.context, own)
    if subprocess.run([builder, "build", *others, *arguments], check=False).returncode:
        sys.exit(f"No image was built: {builder} says why above.")
    print(f"image: {options.name}, of {options.what}, by {builder}")


def working(programs: tuple[str, ...]) -> str | None:
    """The first of these programs that is there and does not only look so: docker is nothing without its engine."""
    for name in programs:
        if shutil.which(name) and not subprocess.run([name, "info"], capture_output=True, check=False).returncode:
            return name
    return None


def prepare(what: str, context: Path) -> Own:
    """Fill a folder with all that the image is made of: its own code, its lock, and what trims packages."""
    if context.exists() and any(context.iterdir()) and not (context / "trim.py").exists():
        sys.exit(f"No image was built: {context} holds something else. Give a folder that is empty or not there.")
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    own = _page(context) if what == _UI else _service(what, context)
    (context / "requirements.txt").write_text(own.lock)
    shutil.copy(HERE / "trim.py", context)
    return own


def _page(context: Path) -> Own:
    """The page's code as it is here."""
    shutil.copytree(ROOT / _UI, context / _UI, ignore=shutil.ignore_patterns("__pycache__"))
    said = _titled(PAGE, "A page to ask a served model and see why", _git("log", "-1", "--format=%cI"))
    return Own(_UI, (ROOT / f"requirements/{_UI}.txt").read_text(), said)


def _service(tag: str, context: Path) -> Own:
    """The exported Bento; its labels are the chain from it to data and commit."""
    import bentoml  # seconds
    from bentoml.exceptions import BentoMLException

    bento = context / "bento"
    try:
        bentoml.export_bento(tag, str(bento.absolute()), output_format="folder")
    except BentoMLException as error:
        sys.exit(f"No image was built: {error}. `bentoml list` shows the Bentos there are.")
    recorded = yaml.safe_load((bento / "bento.yaml").read_text())
    said = _titled(SERVICE, "A served and explained LightGBM model", recorded["creation_time"])
    said |= {f"{PREFIX}bento": f"{recorded['name']}:{recorded['version']}"}
    for name, lineage in lineages(bento):
        said |= {f"{PREFIX}{name}.{link}": str(value) for link, value in lineage.items()}
    return Own(bento.name, locked((bento / "env/python/requirements.txt").read_text()), said)


def _titled(title: str, description: str, created: str) -> dict[str, str]:
    return {f"{STANDARD}title": title, f"{STANDARD}description": description, f"{STANDARD}created": created}


def locked(requirements: str) -> str:
    """The lock as it was before BentoML appended itself once more, without a hash, which pip would refuse."""
    lines = requirements.splitlines()
    while lines and "--hash=" not in lines[-1] and not lines[-1].lstrip().startswith("#"):
        lines.pop()
    return "\n".join(lines) + "\n"


def labels(own: Own, base: str) -> dict[str, str]:
    """What the image says about itself, and about the commit and the base that it is built with."""
    said = {
        "version": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        "licenses": "Apache-2.0",
        "source": published(_git("remote", "get-url", "origin")),
        "revision": _git("rev-parse", "HEAD") + ("-changed" if _git("status", "--porcelain", "-uno") else ""),
        "base.name": base.partition("@")[0],
        "base.digest": base.partition("@")[2],
    }
    named = {f"{STANDARD}{name}": value for name, value in said.items()}
    return {name: value for name, value in {**own.labels, **named}.items() if value}


def lineages(bento: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the lineage of each model of an exported Bento."""
    for path in sorted(bento.glob("models/*/*/manifest.json")):
        manifest = json.loads(path.read_text())
        stored = yaml.safe_load((path.parent / "model.yaml").read_text())
        known = stored["labels"] | (manifest["lineage"] or {})
        chain = {link: known[link] for link in _CHAIN if known.get(link)}
        yield stored["name"], {"model": f"{stored['name']}:{stored['version']}"} | chain


def _arguments(builder: str, name: str, base: str, context: Path, own: Own) -> list[str]:
    """What the builder is told: the same for all, but for how the image gets a fixed time and its health check."""
    same_time = (
        ["--build-arg", f"SOURCE_DATE_EPOCH={WHEN}", "--provenance=false"]
        if builder == "docker"
        # OCI's own format has no health check
        else ["--timestamp", str(WHEN), "--layers", "--format", "docker"]
    )
    secret = os.environ.get("PIP_CONFIG_FILE")
    return [
        "--file", str(HERE / "Containerfile"), "--tag", name, "--build-arg", f"BASE={base}", *same_time,
        *(["--secret", f"id=pip.conf,src={secret}"] if secret else []),
        "--target", own.folder, "--build-arg", f"OWN={own.folder}",
        *(f"--label={key}={value}" for key, value in labels(own, base).items()),
        str(context),
    ]  # fmt: skip


def published(remote: str) -> str:
    """Where people find what is at a git remote; "" if that is no page, and never with somebody's password in it."""
    scheme, _, rest = remote.partition("://")
    return f"https://{rest.rpartition('@')[2].removesuffix('.git')}" if scheme == "https" else ""


def _git(*command: str) -> str:
    """What git says, "" where there is none or no clone."""
    if not shutil.which("git"):
        return ""
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()

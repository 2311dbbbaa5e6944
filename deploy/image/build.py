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

from deploy import golden
from deploy.image.trim import WHEN

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BASE = "docker.io/library/python:3.11-slim"
PREFIX = "boxwood."
"""The prefix of our own labels."""
STANDARD = "org.opencontainers.image."
"""The prefix of the standard labels (OCI)."""
SERVICE, PAGE = "boxwood", "boxwood-page"
"""The titles of the two images."""
_BUILDERS = ("docker", "podman", "buildah")
_CHAIN = ("registry_version", "mlflow_run", "data_sha256", "git_commit")
"""The parts of a model's lineage, as in `GET /v1/models/{model}`, that become labels."""
_UI = "ui"


class Own(NamedTuple):
    """The parts of an image that differ between the service and the page.

    Attributes:
        folder: its folder in the build context, and its target in the Containerfile.
        lock: its requirements, with hashes.
        labels: the labels that only this image has.
    """

    folder: str
    lock: str
    labels: Mapping[str, str]


def main() -> None:
    """Fill the build context, build the image, and print its name."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.image.build",
        description=__doc__,
        epilog="Other options are the builder's, like --no-cache.",
    )
    parser.add_argument("what", metavar="TAG", help=f"the Bento, or `{_UI}`")
    parser.add_argument("--name", default=f"{SERVICE}:latest", help="of the image")
    parser.add_argument("--base", default=BASE, help="the image below; NAME@sha256:… pins it")
    parser.add_argument("--context", type=Path, default=Path("stores/image"), help="a folder for what it is built of")
    options, builder_options = parser.parse_known_args()
    builder = working(_BUILDERS)
    if builder is None:
        sys.exit(f"No image was built: none of {', '.join(_BUILDERS)} works here. Install one and see that it does.")
    own = prepare(options.what, options.context)
    arguments = _arguments(builder, options.name, options.base, options.context, own)
    if subprocess.run([builder, "build", *builder_options, *arguments], check=False).returncode:
        sys.exit(f"No image was built: {builder} says why above.")
    print(f"image: {options.name}, of {options.what}, by {builder}")


def working(programs: tuple[str, ...]) -> str | None:
    """The first of these programs that is installed and works: docker does not without its engine."""
    for name in programs:
        if shutil.which(name) and not subprocess.run([name, "info"], capture_output=True, check=False).returncode:
            return name
    return None


def prepare(what: str, context: Path) -> Own:
    """Fill the build context of the image: its code, its lock, and the script that trims packages."""
    if context.exists() and any(context.iterdir()) and not (context / "trim.py").exists():
        sys.exit(f"No image was built: {context} holds something else. Give a folder that is empty or not there.")
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    own = _page(context) if what == _UI else _service(what, context)
    (context / "requirements.txt").write_text(own.lock)
    shutil.copy(HERE / "trim.py", context)
    return own


def _page(context: Path) -> Own:
    """Copy the page's code."""
    shutil.copytree(ROOT / _UI, context / _UI, ignore=shutil.ignore_patterns("__pycache__"))
    image_labels = _standard_labels(PAGE, "A page to ask a served model and see why", _git("log", "-1", "--format=%cI"))
    return Own(_UI, (ROOT / f"requirements/{_UI}.txt").read_text(), image_labels)


def _service(tag: str, context: Path) -> Own:
    """Export the Bento; its labels have the lineage of its models, down to data and commit."""
    import bentoml  # seconds
    from bentoml.exceptions import BentoMLException

    bento = context / "bento"
    try:
        bentoml.export_bento(tag, str(bento.absolute()), output_format="folder")
    except BentoMLException as error:
        sys.exit(f"No image was built: {error}. `bentoml list` shows the Bentos there are.")
    document = yaml.safe_load((bento / "bento.yaml").read_text())
    image_labels = _standard_labels(SERVICE, "A served and explained LightGBM model", document["creation_time"])
    image_labels |= {f"{PREFIX}bento": f"{document['name']}:{document['version']}"}
    for name, lineage in lineages(bento):
        image_labels |= {f"{PREFIX}{name}.{link}": str(value) for link, value in lineage.items()}
    return Own(bento.name, locked((bento / "env/python/requirements.txt").read_text()), image_labels)


def _standard_labels(title: str, description: str, created: str) -> dict[str, str]:
    return {f"{STANDARD}title": title, f"{STANDARD}description": description, f"{STANDARD}created": created}


def locked(requirements: str) -> str:
    """The lock without the line that BentoML appends for itself: it has no hash, and pip would refuse it."""
    lines = requirements.splitlines()
    while lines and "--hash=" not in lines[-1] and not lines[-1].lstrip().startswith("#"):
        lines.pop()
    return "\n".join(lines) + "\n"


def labels(own: Own, base: str) -> dict[str, str]:
    """All labels of the image: its own, and those of the commit and the base that it is built from."""
    values = {
        "version": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        "licenses": "Apache-2.0",
        "source": published(_git("remote", "get-url", "origin")),
        "revision": _git("rev-parse", "HEAD") + ("-changed" if _git("status", "--porcelain", "-uno") else ""),
        "base.name": base.partition("@")[0],
        "base.digest": base.partition("@")[2],
    }
    standard = {f"{STANDARD}{name}": value for name, value in values.items()}
    return {name: value for name, value in {**own.labels, **standard}.items() if value}


def lineages(bento: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the lineage of each model of an exported Bento; of several versions, of the one asked by default."""
    tags = golden.tags_of(yaml.safe_load((bento / "bento.yaml").read_text()))
    for _, tag in sorted({tag.partition(":")[0]: tag for tag in reversed(tags)}.items()):
        folder = bento / "models" / tag.replace(":", "/")
        manifest = json.loads((folder / "manifest.json").read_text())
        stored = yaml.safe_load((folder / "model.yaml").read_text())
        links = stored["labels"] | (manifest["lineage"] or {})
        chain = {link: links[link] for link in _CHAIN if links.get(link)}
        yield stored["name"], {"model": f"{stored['name']}:{stored['version']}"} | chain


def _arguments(builder: str, name: str, base: str, context: Path, own: Own) -> list[str]:
    """The builder's arguments. Builders differ only in how the image gets a fixed time stamp and its health check."""
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
    """The web page of a git remote, without any credentials in it; "" if it has none."""
    scheme, _, rest = remote.partition("://")
    return f"https://{rest.rpartition('@')[2].removesuffix('.git')}" if scheme == "https" else ""


def _git(*command: str) -> str:
    """The output of git; "" without git, or outside of a clone."""
    if not shutil.which("git"):
        return ""
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()

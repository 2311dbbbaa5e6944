"""The images of a Bento and of the page: the same each time, and proven by `python -m deploy.image.proof`."""

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from deploy.image import build as image
from deploy.image import trim
from tests.project import DEV, ROOT, Project

LOCK = ROOT / "requirements/serving.txt"


def pins(requirements: str) -> list[str]:
    """The requirements of a lock with their hashes, however it is laid out."""
    words = [line.partition("#")[0].strip(" \\") for line in requirements.splitlines()]
    return sorted(word.replace(" ;", ";").replace("'", '"') for word in words if word)


@pytest.mark.slow
def test_the_lock_that_is_installed_is_the_one_that_was_reviewed(trained: Project, bento: str) -> None:
    recorded = (trained.source(bento).parent / "env/python/requirements.txt").read_text()
    assert pins(recorded) != pins(LOCK.read_text()), "BentoML appends nothing any more: image.locked can go"
    assert pins(image.locked(recorded)) == pins(LOCK.read_text())
    assert image.locked(image.locked(recorded)) == image.locked(recorded)


def test_trimming_leaves_what_is_imported_and_nothing_that_tells_when_it_was_built(tmp_path: Path) -> None:
    kept = {"a/__init__.py", "a/py.typed", "a/data.npz", "scipy/sparse/__init__.py", "gradio/templates/frontend/a.js"}
    gone = {"a/tests/__init__.py", "a/fast.pyx", "a/fast.pyi", "scipy/stats/__init__.py"}
    gone |= {"gradio/templates/node/a.js", "pyarrow/libarrow_flight.so.2500", "hf_xet-1.8.0.dist-info/METADATA"}
    trees = [tmp_path / "one", tmp_path / "other"]
    for tree in trees:
        for name in kept | gone:
            path = tree / "srv/packages" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("NAMES = frozenset({'a', 'b', 'c'})\n" if path.suffix == ".py" else "")
        trim.trim(tree)
        trim.make_reproducible(tree)
    a, b = (
        {str(path.relative_to(tree / "srv/packages")): path for path in tree.rglob("packages/**/*")} for tree in trees
    )
    assert {name for name, path in a.items() if path.is_file() and path.suffix != ".pyc"} == kept
    assert sorted(a) == sorted(b)
    assert any(name.endswith(".pyc") for name in a)
    for name, path in a.items():
        assert (path.stat().st_mtime, path.stat().st_mode) == (trim.WHEN, b[name].stat().st_mode)
        if path.is_file():
            assert path.read_bytes() == b[name].read_bytes(), name


def test_what_is_trimmed_by_name_is_there() -> None:
    packages = Path(sysconfig.get_path("purelib"))
    for pattern in trim.UNUSED:
        assert list(packages.glob(pattern)), f"no package has {pattern} any more: its rule can go"


def test_no_password_of_a_git_remote_gets_into_a_label() -> None:
    assert image.published("https://someone:secret@example.org/a/boxwood.git") == "https://example.org/a/boxwood"
    assert image.published("https://example.org/a/boxwood") == "https://example.org/a/boxwood"
    assert image.published("ssh://someone@example.org/a/boxwood") == image.published("/a/boxwood") == ""


def test_without_a_builder_a_sentence_says_so(tmp_path: Path) -> None:
    tried = {"deploy.image.build": "No image was built: none of docker, podman, buildah works here."}
    tried["deploy.image.proof"] = "No image was tried: neither docker nor podman works here"
    for module, sentence in tried.items():
        done = subprocess.run(
            [DEV / "python", "-m", module, "boxwood:none"],
            cwd=ROOT, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode != 0
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def engine() -> str:
    """What builds and runs images here, with the base image at hand; skips where it is not."""
    name = image.working(("docker", "podman"))
    if name is None:
        pytest.skip("neither docker nor podman works here, so no image can be built and run")
    for command in (["image", "inspect", image.BASE], ["pull", "--quiet", image.BASE]):
        if subprocess.run([name, *command], capture_output=True, check=False).returncode == 0:
            return name
    pytest.skip(f"{name} neither has {image.BASE} nor can pull it")


Build = Callable[[Project, str, str], Path]


@pytest.fixture
def build(engine: str, tmp_path: Path) -> Iterator[Build]:
    """Builds an image of a project's Bento, or of the page, from nothing; returns the folder that it was built of."""
    built = []

    def run(project: Project, what: str, name: str) -> Path:
        context = tmp_path / name.replace(":", "-")
        built.append(name)
        options = ("--name", name, "--context", str(context), "--no-cache")
        project.run("python", "-m", "deploy.image.build", what, *options)
        return context

    yield run
    for name in built:
        subprocess.run([engine, "image", "rm", name], capture_output=True, check=False)
    # what stays of the stages would be GBs after some runs
    prune = [engine, "image", "prune", "--force", "--filter", "label=boxwood.stage"]
    subprocess.run(prune, capture_output=True, check=False)


def layers(engine: str, name: str) -> list[str]:
    """The digests of what an image unpacks to."""
    done = subprocess.run([engine, "image", "inspect", name], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)[0]["RootFS"]["Layers"]
    return found


def contents(context: Path) -> dict[str, bytes]:
    """What is in an exported Bento besides its own name and time."""
    bento = context / "bento"
    files = {str(path.relative_to(bento)): path.read_bytes() for path in bento.rglob("*") if path.is_file()}
    recorded = yaml.safe_load(files.pop("bento.yaml"))
    assert recorded.pop("version")
    assert recorded.pop("creation_time")
    return files | {"bento.yaml": yaml.safe_dump(recorded).encode()}


@pytest.mark.image
@pytest.mark.timeout(1_800)
def test_the_image_is_what_it_says_and_the_same_each_time(
    engine: str, build: Build, trained: Project, bento: str
) -> None:
    first = build(trained, bento, "boxwood-test:first")
    trained.run("python", "-m", "deploy.image.proof", "boxwood-test:first")
    other = build(trained, trained.build(), "boxwood-test:other")
    assert contents(first) == contents(other)
    [base, *packages, own], [*others, _] = layers(engine, "boxwood-test:first"), layers(engine, "boxwood-test:other")
    assert others == [base, *packages], "the locked packages differ"
    build(trained, bento, "boxwood-test:again")
    assert layers(engine, "boxwood-test:again") == [base, *packages, own]


@pytest.mark.image
@pytest.mark.timeout(1_800)
def test_the_page_has_an_image_of_its_own(engine: str, build: Build, tmp_path: Path) -> None:
    project = Project(tmp_path)
    context = build(project, "ui", "boxwood-test:page")
    assert {path.name for path in context.iterdir()} == {"ui", "requirements.txt", "trim.py"}
    project.run("python", "-m", "deploy.image.proof", "boxwood-test:page")
    build(project, "ui", "boxwood-test:page-again")
    assert layers(engine, "boxwood-test:page-again") == layers(engine, "boxwood-test:page")

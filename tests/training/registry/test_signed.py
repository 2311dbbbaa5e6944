"""Signed where it is registered, carried to where it is served, and demanded there."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from model import bundle, signatures
from model.signatures import SIGNATURE, Trusted
from tests.project import Project, free_port
from tests.serving.rest.test_http import PREDICT
from tests.serving.test_bento import exported

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pair of an owner."""
    folder = tmp_path_factory.mktemp("keys")
    signatures.write_pair(folder / "owner.pem", folder / "owner.pub.pem")
    return folder


@pytest.fixture(scope="module")
def signed(trained: Project, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The trained project, registered and packaged anew by who has a key."""
    copy = trained.copy(tmp_path_factory.mktemp("signed") / "project")
    shutil.rmtree(copy.folder / "stores")
    project = replace(copy, variables={signatures.SIGNING_KEY: str(keys / "owner.pem")})
    project.stages("register", "package")
    return project


def stored(project: Project) -> Path:
    """The folder of the packaged model in the store."""
    tag: str = project.receipt()["tag"]
    return project.folder / "stores/bentoml/models" / tag.replace(":", "/")


def elsewhere(project: Project, bento: str, folder: Path, trusted: Path) -> Project:
    """The project on another machine, which holds a Bento and demands signatures."""
    home = exported(project, bento, folder)
    return replace(project, variables={"BENTOML_HOME": str(home), signatures.TRUSTED_KEYS: str(trusted)})


def test_what_is_registered_is_signed_and_served_where_that_is_demanded(
    signed: Project, keys: Path, tmp_path: Path, row: dict[str, Any]
) -> None:
    bundle.read(stored(signed), Trusted(str(keys / "owner.pub.pem")))
    bento = signed.build()
    with elsewhere(signed, bento, tmp_path, keys / "owner.pub.pem").serve(bento, tmp_path / "empty") as client:
        answer = client.post(PREDICT, json={"instances": [row]}).json()
    assert answer["model_version"] == signed.receipt()["tag"].partition(":")[2]


def test_the_version_is_the_same_with_and_without_a_signature(trained: Project, signed: Project) -> None:
    assert signed.receipt()["tag"] == trained.receipt()["tag"]
    assert not (stored(trained) / SIGNATURE).exists()


def test_an_unsigned_model_ends_the_start_where_that_is_demanded(
    trained: Project, bento: str, keys: Path, tmp_path: Path
) -> None:
    there = elsewhere(trained, bento, tmp_path, keys / "owner.pub.pem")
    command = ("bentoml", "serve", bento, "--port", str(free_port()))
    printed = there.run(*command, fails=True, BOXWOOD_GRPC_PORT="0")
    assert "Not starting: " in printed
    assert "is not signed" in printed
    printed = there.run(*command, fails=True, BOXWOOD_GRPC_PORT="0", BOXWOOD_TRUSTED_KEYS="nowhere.pem")
    assert "Not starting: BOXWOOD_TRUSTED_KEYS names nowhere.pem, which is no public key" in printed


def test_a_version_that_is_there_already_is_signed_by_a_command(trained: Project, keys: Path, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    assert "Say with which private key" in project.training("registry sign flights", fails=True)
    key = {signatures.SIGNING_KEY: str(keys / "owner.pem")}
    printed = replace(project, variables=key).training("registry sign flights")
    assert "Version 1 is signed, and so is flights:" in printed
    trusted = Trusted(str(keys / "owner.pub.pem"))
    bundle.read(stored(project), trusted)
    shutil.rmtree(stored(project).parent)
    project.stages("package")  # from the registry, which has the signature too
    bundle.read(stored(project), trusted)


def older(project: Project) -> dict[str, bytes]:
    """Have the store hold the packaged model as earlier code sealed it, with less known of it; returns its files."""
    folder = stored(project)
    opened = bundle.read(folder)
    assert opened.manifest.metrics is not None
    assert opened.manifest.lineage is not None
    metrics = msgspec.structs.replace(opened.manifest.metrics, examples=[])
    cards = {name: f"earlier: {text}".encode() for name, text in opened.cards.items()}
    bundle.write(folder, bundle.seal(opened.manifest, metrics, opened.manifest.lineage, cards), cards)
    (folder / "model.yaml").write_text((folder / "model.yaml").read_text().replace("version: '1'", "version: '0'"))
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_known_of_a_model_is_renewed_in_the_store_and_no_signature_lost(
    trained: Project, keys: Path, tmp_path: Path
) -> None:
    project = trained.copy(tmp_path / "project")
    registered = contents(stored(project))
    assert older(project) != registered
    shutil.copytree(stored(project), project.folder / "stores/bentoml/.renewed-killed/before")
    assert "what is known of it is renewed" in project.stages("package")
    assert contents(stored(project)) == registered
    assert not list((project.folder / "stores/bentoml").glob(".*"))

    killed = project.folder / "stores/bentoml/.renewed-killed"
    killed.mkdir()
    stored(project).rename(killed / "before")  # between the two steps of the exchange
    project.stages("package")
    imported = contents(stored(project))
    assert imported | {"model.yaml": b""} == registered | {"model.yaml": b""}  # which has the time
    registered = imported
    assert not killed.exists()

    older(project)
    signatures.sign(stored(project), keys / "owner.pem", bundle.MANIFEST)
    signed = contents(stored(project))
    assert "`python -m training registry sign flights 1` renews it" in project.stages("package")
    assert contents(stored(project)) == signed
    signing = replace(project, variables={signatures.SIGNING_KEY: str(keys / "owner.pem")})
    signing.training("registry sign flights")
    renewed = contents(stored(project))
    assert renewed.pop(SIGNATURE) != signed[SIGNATURE]
    assert renewed == registered
    bundle.read(stored(project), Trusted(str(keys / "owner.pub.pem")))


def test_a_table_is_scored_with_a_signed_model_where_that_is_demanded(
    trained: Project, signed: Project, keys: Path, tmp_path: Path
) -> None:
    table = tmp_path / "table.parquet"
    shutil.copy(trained.folder / "data/flights/silver.parquet", table)
    command = ("python", "-m", "scoring", "score", str(table), str(tmp_path / "out"), "--model")
    demanding = replace(trained, variables={signatures.TRUSTED_KEYS: str(keys / "owner.pub.pem")})
    assert "is not signed" in demanding.run(*command, str(stored(trained)), fails=True)
    assert "is not signed" not in demanding.run(*command, str(stored(signed)), "--drop", "price")

"""Evaluated bundle → MLflow: a run with everything about it, a registered version, and whether it is the champion.

Registering the same bundle twice finds the first registration. The receipt lies in the store itself: where the store
is gone, so is the receipt, and the next `dvc repro` registers again.
"""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import msgspec
import pandas as pd
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType

from model import bundle, receipts, signatures, tabular
from model.bundle import Lineage, Manifest
from model.outcomes import Outcome
from model.outcomes.labels import SET
from problems.base import Problem
from training.data import beside, copies, tables
from training.data.split import TEST
from training.evaluation import card, report
from training.exploring import eda
from training.registry import aliases, champion, promote, stores, told
from training.registry.promote import Decision
from training.workspace import Workspace, read_json, say, sha256, write_json
from validation.contract import Column, Contract, Kind

CODE = ("validation", "problems", "model", "training", "requirements", "dvc.yaml", "params.yaml")
"""What decides about a model; dvc.lock does not, and every run may rewrite it."""
VERSION_TAG, EVIDENCE_TAG = "bundle", "evidence"
"""The tags by which a registered version is found again: its bundle, and a hash of its data and metrics."""

BECAUSE_TAG = "because"
"""The tag of a version that a retraining came to: what began it."""
REASONS_TAG, COMPARED_TAG = "reasons", "compared_with"
LONGEST_TAG = 4_000
"""MLflow's database has no room for more."""

LIBRARIES = ("bentoml", "lightgbm", "numpy", "pandas", "pandera", "scikit-learn", "shap")
"""Whose versions the lineage names."""
ANSWERING = ("lightgbm", "msgspec", "numpy", "pandas")
"""What the MLflow model needs to answer."""
_ANSWERS = {float: DataType.double, str: DataType.string}


def main(problem: Problem, workspace: Workspace | None = None) -> None:
    """Register the bundle unless it is registered, decide whether it becomes champion, and leave a receipt."""
    workspace = workspace or Workspace(problem.name)
    manifest = bundle.read(workspace.bundle).manifest
    client = MlflowClient()
    tags = {VERSION_TAG: manifest.version, EVIDENCE_TAG: _evidence(workspace)}
    current = champion.current(client, problem.name)
    version = _registered(client, problem, tags)
    if version is not None and current is not None and version.version == current.version:
        decision = Decision(True, [current.tags.get(REASONS_TAG, "")])
        say("register", f"bundle {manifest.version} is version {version.version} already, the champion")
    else:
        decision = _decide(client, problem, workspace, current, version)
        if version is None:
            version = _register(problem, workspace, manifest, tags, decision)
        _record(client, version, decision)
        told.tell(client, problem, workspace, version, decision)
        verdict = "champion" if decision.promoted else "refused"
        before = None if current is None else str(current.version)
        first, *others = report.decision_lines(
            decision.reasons, problem.name, str(version.version), before, promoted=decision.promoted
        )
        say("register", f"{problem.name} version {version.version} is {verdict}: {first}")
        for line in others:
            say("register", f"  {line}")
    aliases.renew_challenger(client, problem.name, str(version.version))
    source = read_json(workspace.source)
    serving = version if decision.promoted else champion.current(client, problem.name)
    write_json(
        workspace.registered,
        {
            "bundle": manifest.version,
            "metrics": sha256(workspace.metrics),
            "data": source[beside.SHA256],
            "labelled": source.get(beside.LABELLED, {}).get(beside.SHA256),
            "rows": sum(report.read(workspace).splits.values()),
            "reference": str(workspace.reference),
            "registry": stores.registry(),
            "registry_version": str(version.version),
            "champion": str(serving.version) if serving else None,
            **msgspec.to_builtins(decision),
        },
    )


def _decide(
    client: MlflowClient,
    problem: Problem,
    workspace: Workspace,
    current: ModelVersion | None,
    version: ModelVersion | None,
) -> Decision:
    if version is not None and version.tags.get(champion.WITHDRAWN_TAG):
        return Decision(False, ["it was withdrawn"], str(current.version) if current else None)
    record = champion.best(client, current) if current is not None else champion.Best("")
    same = current is not None and current.tags.get(VERSION_TAG) == bundle.read(workspace.bundle).manifest.version
    if current is not None and same and not champion.has_files(current):
        reason = f"it is the same model as version {current.version}, the champion, whose files are gone"
        return Decision(True, [reason], str(current.version), current.tags.get(champion.BEST_TAG) or None, record.above)
    return promote.decide(problem, workspace, current, record)


def _record(client: MlflowClient, version: ModelVersion, decision: Decision) -> None:
    """Write a decision onto the version, and make it the champion if that is the decision."""
    tags = {
        champion.DECISION_TAG: champion.PROMOTED if decision.promoted else champion.REFUSED,
        REASONS_TAG: "; ".join(decision.reasons)[:LONGEST_TAG],
        COMPARED_TAG: decision.compared_with or "",
        champion.BEST_TAG: decision.best or "",
        champion.ABOVE_TAG: str(decision.above_best),
    }
    for name, value in tags.items():
        client.set_model_version_tag(version.name, version.version, name, value)
    if decision.promoted:
        champion.set_champion(client, version)


def _evidence(workspace: Workspace) -> str:
    """A hash of the data and the metrics: where they differ, the same bundle is registered as another version."""
    data = read_json(workspace.source)["sha256"]
    return hashlib.sha256(data.encode() + workspace.metrics.read_bytes()).hexdigest()


def _registered(client: MlflowClient, problem: Problem, tags: Mapping[str, str]) -> ModelVersion | None:
    versions = client.search_model_versions(f"name = '{problem.name}'")
    matching = (version for version in versions if tags.items() <= version.tags.items())
    return next((version for version in matching if champion.has_files(version)), None)


def _register(
    problem: Problem, workspace: Workspace, manifest: Manifest, tags: dict[str, str], decision: Decision
) -> ModelVersion:
    metrics = report.read(workspace)
    source = read_json(workspace.source)
    commit = git_commit()
    libraries = {"python": platform.python_version(), **_versions(*LIBRARIES)}
    begin_experiment(problem.name)
    with mlflow.start_run(run_name=manifest.version) as run:
        lineage = Lineage(source["sha256"], told.data_source(source), commit, run.info.run_id, libraries)
        shown = {**told.tags(problem, metrics), "data_sha256": source["sha256"], "git_commit": commit or ""}
        mlflow.set_tags(shown | tags)
        mlflow.log_params(flat(workspace.document()))
        mlflow.log_dict(msgspec.to_builtins(metrics), "metrics.json")
        mlflow.log_dict(msgspec.to_builtins(decision), "decision.json")
        if cluster := source.get("cluster"):
            mlflow.log_dict(cluster, "cluster.json")
        mlflow.log_artifacts(str(workspace.plots), "plots")
        cards = card.documents(
            problem, manifest, metrics, source, lineage, msgspec.to_builtins(decision), workspace.plots
        )
        for name, text in cards.items():
            mlflow.log_text(text.decode(), name)
        if page := eda.published(problem, workspace, lineage.data_source):
            mlflow.log_text(page, card.TABLE)
        rows = _frame(problem.contract, bundle.read(workspace.bundle).golden.rows[:5])
        _log_dataset(problem, source, rows)
        files = bundle.contents(workspace.bundle, manifest) | cards
        sealed = bundle.seal(manifest, metrics, lineage, cards)
        logged = _log_model(problem, sealed, files, rows, _learned(problem, workspace))
        told.log_figures(metrics, logged.model_id)
    because = os.environ.get(receipts.BECAUSE, "")[:LONGEST_TAG]
    more = {BECAUSE_TAG: because} if because else {}
    return mlflow.register_model(logged.model_uri, problem.name, tags=tags | shown | more)


def begin_experiment(name: str) -> None:
    """Have what follows recorded in the experiment of a problem; it is made where there is none."""
    client = MlflowClient()
    if client.get_experiment_by_name(name) is None:
        local = f"{stores.local_artifacts()}/{name}" if stores.uses_local_mlflow() else None
        client.create_experiment(name, artifact_location=local)
    mlflow.set_experiment(name)


def _log_dataset(problem: Problem, source: dict[str, Any], rows: pd.DataFrame) -> None:
    where = CodeDatasetSource({"origin": source["origin"], "sha256": source["sha256"]})
    dataset = mlflow.data.from_pandas(rows, source=where, name=problem.name, digest=source["sha256"][:36])
    mlflow.log_input(dataset, context="training")


def _learned(problem: Problem, workspace: Workspace) -> pd.DataFrame:
    """The hashes of the rows that the model learned from, sorted, so that they do not tell the rows' order."""
    silver, parts = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    inputs = [column.name for column in problem.contract.inputs]
    row_hashes = copies.hashes(silver, inputs, problem.contract.target.name)[(parts != TEST).to_numpy()]
    return row_hashes.drop_duplicates().sort_values([copies.INPUTS, copies.ROWS], ignore_index=True)


def _log_model(
    problem: Problem, sealed: Manifest, files: dict[str, bytes], rows: pd.DataFrame, learned: pd.DataFrame
) -> ModelInfo:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bundle"
        folder.mkdir()
        bundle.write(folder, sealed, files)
        bundle.read(folder)  # nothing is registered that could not be read back
        if key := os.environ.get(signatures.SIGNING_KEY):
            signatures.sign(folder, Path(key), bundle.MANIFEST)
        tables.write(Path(temporary) / champion.LEARNED, learned)
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("mlflow_model.py")),
            artifacts={"bundle": str(folder), "learned": str(Path(temporary) / champion.LEARNED)},
            code_paths=["validation", "problems", "model"],
            signature=signature(problem.contract, sealed.outcome),
            input_example=rows,
            pip_requirements=[f"{name}=={version}" for name, version in _versions(*ANSWERING).items()],
        )


def signature(contract: Contract, outcome: Outcome) -> ModelSignature:
    """The contract as MLflow has it: names, and which must be there. Texts are texts, and the decoder judges others.

    By types MLflow would refuse what requests may hold, or fail a table for a cell: Spark's integers of 64 bits among
    numbers, a missing one beside them, a day of the year 9999.
    """
    inputs = [ColSpec(_type(column), column.name, required=not column.nullable) for column in contract.inputs]
    inputs += [ColSpec(_type(column), column.name, required=False) for column in contract.keys]
    keys = {f"key_{key.name}": DataType.double if key.numeric else DataType.string for key in contract.keys}
    types = {"warnings": DataType.string, "prediction": _ANSWERS[outcome.kind], SET: DataType.string, **keys}
    outputs = [ColSpec(types.get(name, DataType.double), name) for name in tabular.columns(outcome, contract)]
    partial = ParamSchema([ParamSpec("partial", DataType.boolean, False)])
    return ModelSignature(Schema(inputs), Schema(outputs), partial)


def _type(column: Column) -> DataType | AnyType:
    return DataType.string if column.kind is Kind.CATEGORY else AnyType()


def _frame(contract: Contract, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as requests carry them as a table of the signature, in the types in which our own tables hold them."""
    kinds = {column.name: column.kind for column in contract.inputs}
    frame = pd.DataFrame(rows, columns=list(kinds))
    changed = tabular.STORED.keys() - {Kind.FLAG}
    return frame.astype({name: tabular.STORED[kind] for name, kind in kinds.items() if kind in changed})


def git_commit() -> str | None:
    """The commit of the code, with "-dirty" behind it where code differs from it; None where it is in no git clone."""
    try:
        if Path(_git("rev-parse", "--show-toplevel")) != Path.cwd():
            return None  # a folder inside somebody's repository is not that repository
        return _git("rev-parse", "HEAD") + ("-dirty" if _git("status", "--porcelain", "--", *CODE) else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _versions(*libraries: str) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in libraries}


def flat(params: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested names joined with dots."""
    flattened: dict[str, Any] = {}
    for name, value in params.items():
        flattened |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flattened

"""Studies in MLflow: a run "tune" for each, with a nested run for each trial; what is not there is made again."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from training.registry.register import begin_experiment, flat
from training.tuning.search import BOOSTER
from training.tuning.studies import MADE_OF, done

RUN_NAME, TRIAL_TAG, STATE_TAG, STUDY_TAG = "tune", "trial", "state", "study"
_RUN = "mlflow_run"
"""The study's attribute with the id of its run."""
_PAGE = 1_000


class Tracked:
    """The runs of one study; use it as a context, which ends its run as finished, failed, or killed by Ctrl-C."""

    def __init__(self, problem: str, study: Study) -> None:
        """Find the study's run or make one, and the runs of trials that MLflow does not have."""
        begin_experiment(problem)
        self._client, self._study = MlflowClient(), study
        self._experiment = self._client.get_experiment_by_name(problem).experiment_id
        self._run = self._found() or self._made()
        self._client.update_run(self._run, status=RunStatus.to_string(RunStatus.RUNNING))
        there = self._there()
        for trial in done(study):
            if trial.number not in there:
                self.trial(trial)

    def _found(self) -> str | None:
        run_id = self._study.user_attrs.get(_RUN)
        try:
            run = self._client.get_run(run_id) if run_id else None
        except MlflowException:  # of a store that was deleted, or of another one
            return None
        same = run is not None and run.info.lifecycle_stage == "active" and run.info.experiment_id == self._experiment
        return str(run_id) if same else None

    def _made(self) -> str:
        parts = {what.replace("`", ""): made for what, made in self._study.user_attrs[MADE_OF].items()}
        tags = {STUDY_TAG: self._study.study_name, **parts}
        run_id = str(self._client.create_run(self._experiment, run_name=RUN_NAME, tags=tags).info.run_id)
        self._study.set_user_attr(_RUN, run_id)
        return run_id

    def _there(self) -> set[int]:
        """The numbers of the trials that MLflow has."""
        found: set[int] = set()
        token: str | None = None
        while token != "":
            page = self._client.search_runs(
                [self._experiment],
                f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._run}'",
                max_results=_PAGE,
                page_token=token,
            )
            found |= {int(run.data.tags[TRIAL_TAG]) for run in page}
            token = page.token or ""
        return found

    def trial(self, trial: FrozenTrial) -> None:
        """Record a trial that ended: its parameters, its loss, the folds that it was judged on, its state."""
        started, ended = (_milliseconds(when) for when in (trial.datetime_start, trial.datetime_complete))
        tags = {MLFLOW_PARENT_RUN_ID: self._run, TRIAL_TAG: str(trial.number), STATE_TAG: trial.state.name.lower()}
        run = self._client.create_run(
            self._experiment, start_time=started, run_name=f"trial {trial.number + 1}", tags=tags
        ).info.run_id
        metrics = [Metric("loss", loss, ended, fold) for fold, loss in sorted(trial.intermediate_values.items())]
        metrics.append(Metric("folds", len(trial.intermediate_values), ended, 0))
        params = [Param(name, str(value)) for name, value in trial.user_attrs[BOOSTER].items()]
        self._client.log_batch(run, metrics=metrics, params=params)
        status = RunStatus.KILLED if trial.state is TrialState.PRUNED else RunStatus.FINISHED
        self._client.set_terminated(run, RunStatus.to_string(status), end_time=ended)

    def result(self, document: Mapping[str, Any], folder: Path) -> None:
        """Record what came of the study: figures, as texts what is none, and a folder with pictures."""
        figures = {name: float(value) for name, value in document.items() if isinstance(value, int | float)}
        said = flat({name: value for name, value in document.items() if name not in figures})
        now = _milliseconds(datetime.datetime.now())
        metrics = [Metric(name, value, now, 0) for name, value in figures.items()]
        # a run that goes on may have others than before, so that they cannot be parameters
        tags = [RunTag(name, str(value)) for name, value in said.items()]
        self._client.log_batch(self._run, metrics=metrics, tags=tags)
        self._client.log_artifacts(self._run, str(folder), "tuning")

    def __enter__(self) -> "Tracked":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        status = RunStatus.FINISHED if kind is None else RunStatus.FAILED
        if kind is KeyboardInterrupt:
            status = RunStatus.KILLED
        self._client.set_terminated(self._run, RunStatus.to_string(status))


def _milliseconds(when: datetime.datetime | None) -> int:
    """A local time as MLflow has times: since 1970. Trials that ended have both of theirs."""
    return int(when.timestamp() * 1_000) if when is not None else 0

"""What a registered version is called by: its number, or an alias of MLflow's registry."""

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from training.registry import champion
from validation.errors import StoreError

CHALLENGER = "challenger"


def of(client: MlflowClient, name: str) -> dict[str, str]:
    """The number of the version that each alias of a model names; empty where no version was registered."""
    if not client.search_registered_models(f"name = '{name}'", max_results=1):
        return {}
    return {alias: str(number) for alias, number in client.get_registered_model(name).aliases.items()}


def versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """All versions of a model, the newest last."""
    return sorted(client.search_model_versions(f"name = '{name}'"), key=lambda version: int(version.version))


def renew_challenger(client: MlflowClient, name: str, decided: str = "") -> None:
    """Let `challenger` name the version that was refused last since the champion, and no version if there is none.

    A version that was withdrawn was champion once: it challenges nobody.

    Args:
        client: of the registry.
        name: of the model.
        decided: the number of the version that was decided on just now; an earlier one may have come back.
    """
    named = of(client, name)
    since = int(named.get(champion.CHAMPION, 0))
    refused = [
        str(version.version)
        for version in versions(client, name)
        if version.tags.get(champion.DECISION_TAG) == champion.REFUSED and not version.tags.get(champion.WITHDRAWN_TAG)
    ]
    newer = [number for number in refused if int(number) > since]
    if decided in refused or newer:
        client.set_registered_model_alias(name, CHALLENGER, decided if decided in refused else newer[-1])
    elif CHALLENGER in named:
        client.delete_registered_model_alias(name, CHALLENGER)


def find(client: MlflowClient, name: str, called: str) -> ModelVersion:
    """The version with that number or alias; raises StoreError, which says what there is."""
    number = of(client, name).get(called, called)
    version = champion.find(client, name, number)
    if version is None:
        raise StoreError(_unknown(client, name, called))
    return version


def _unknown(client: MlflowClient, name: str, called: str) -> str:
    present = versions(client, name)
    if not present:
        return f"'{name}' has no version {called!r}. There are: none, run `make train PROBLEM={name}`."
    named = of(client, name)
    if called in (champion.CHAMPION, CHALLENGER):
        last = present[-1]
        what = "withdrawn" if last.tags.get(champion.WITHDRAWN_TAG) else last.tags.get(champion.DECISION_TAG, "kept")
        missing = f"There is no {called} of '{name}': the last version, {last.version}, was {what}."
    else:
        missing = f"'{name}' has no version {called!r}."
    numbers = ", ".join(str(version.version) for version in present)
    return f"{missing} There are: {numbers}. Aliases: {', '.join(sorted(named)) or 'none'}."

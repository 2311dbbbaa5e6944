"""The alias in MLflow's registry that follows the traffic."""

from collections.abc import Mapping

from deploy.errors import CloudError

ALIAS = "serving"


def follow(uri: str, versions: Mapping[str, str]) -> None:
    """Put the alias on these registry versions, by model; nothing without a registry. Raises CloudError."""
    if not uri:
        return
    from mlflow import MlflowClient  # seconds, and many have no registry here
    from mlflow.exceptions import MlflowException

    client = MlflowClient(uri)
    for model, version in versions.items():
        if version:
            try:
                client.set_registered_model_alias(model, ALIAS, version)
            except MlflowException as error:
                raise CloudError(f"The alias {ALIAS} of {model} cannot be put on version {version}: {error}") from error

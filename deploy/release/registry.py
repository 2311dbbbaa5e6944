"""The alias in MLflow's registry that follows the traffic."""

from collections.abc import Mapping

from deploy.errors import CloudError

ALIAS = "serving"


def follow(uri: str, versions: Mapping[str, str]) -> None:
    """Set the alias to these registry versions, by model; does nothing without a registry. Raises CloudError."""
    if not uri:
        return
    from mlflow import MlflowClient  # takes seconds, and is not needed without a registry
    from mlflow.exceptions import MlflowException

    client = MlflowClient(uri)
    for model, version in versions.items():
        if version:
            try:
                client.set_registered_model_alias(model, ALIAS, version)
            except MlflowException as error:
                raise CloudError(f"The alias {ALIAS} of {model} cannot be put on version {version}: {error}") from error

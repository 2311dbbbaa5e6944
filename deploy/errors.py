"""What stops a release.

DeployError
├── ConfigError      the settings file or an argument is invalid
├── Busy             another rollout is running
├── Fenced           this rollout was taken over, and must change nothing any more
├── Unhealthy        a revision must not get traffic; the old split is restored
└── CloudError       Cloud Run or the ledger failed in every retry
"""


class DeployError(Exception):
    """Root of the tree. `str(error)` is a sentence for a person."""


class ConfigError(DeployError):
    """Settings or arguments cannot be used."""


class Busy(DeployError):
    """Another rollout has the services."""


class Fenced(DeployError):
    """Another command took the services over."""


class Unhealthy(DeployError):
    """A revision does not start, does not answer as it should, or is slow."""


class CloudError(DeployError):
    """An API call failed in every retry."""

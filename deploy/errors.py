"""What stops a release.

DeployError
├── ConfigError      the file of settings, or an argument, that makes no sense
├── Busy             somebody else's rollout is running
├── Fenced           this rollout was taken over, and must touch nothing any more
├── Unhealthy        a revision that must not get traffic; the old split is restored
└── CloudError       Cloud Run or the ledger failed for longer than it was tried
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
    """An API did not do what it was asked for, however often it was asked."""

"""Makes in Cloud Monitoring what `alerts.yaml` says, and changes what is there already; or removes it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from deploy.cloud.monitoring import Document, Monitoring
from deploy.config import Config, Service
from deploy.errors import ConfigError
from deploy.release.cloud_run import CloudRun

_FILE = Path(__file__).with_suffix(".yaml")
_LABEL = "boxwood"
"""Of what was made here: the label by which it is found again. Nothing without it is touched."""
_COLLECTIONS = ("alertPolicies", "uptimeCheckConfigs", "notificationChannels")
"""What refers to others comes first, since nothing can be removed that is referred to."""
_LONGEST = 63
Say = Callable[[str], None]


class Alerts(msgspec.Struct, forbid_unknown_fields=True):
    """The file: objectives and policies by their names, and the uptime check."""

    objectives: Mapping[str, Document]
    uptime: Document
    policies: Mapping[str, Document]

    @classmethod
    def read(cls, text: bytes, **names: str) -> "Alerts":
        """The file with names in place of their words; raises ConfigError."""
        try:
            return msgspec.convert(_named(msgspec.yaml.decode(text), names), cls)
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{_FILE} cannot be used: {error}") from error


def apply(config: Config, cloud: CloudRun, notify: Sequence[str], say: Say) -> None:
    """Make or change all of it for each service that is there; run again, it changes nothing that is as it should be.

    Args:
        config: whose services.
        cloud: knows their addresses.
        notify: who is told: e-mail addresses, and https addresses that get a POST; where nobody is named, it stays as
            it is.
        say: hears what was done.

    Raises:
        ConfigError: an address is neither, or no service is there.
        CloudError: Cloud Monitoring refused; run it again.
    """
    monitoring = Monitoring(config.project)
    channels = [_put(monitoring, "notificationChannels", to, _channel(to), say)["name"] for to in notify]
    if not channels:
        say("who is told stays as it is, at first nobody: name an e-mail address or a webhook with --notify")
    there = False
    for service in config.services:
        running = cloud.service(service.name) if service.transport != "page" else None
        if running is not None:
            there = True
            _watch(config, monitoring, service, urlsplit(running.uri).netloc, channels, say)
    if not there:
        raise ConfigError("None of the services is there yet. Release first.")


def remove(config: Config, say: Say) -> None:
    """Remove all that `apply` made in the project, and nothing else; raises CloudError."""
    monitoring = Monitoring(config.project)
    for collection in _COLLECTIONS:
        for made in list(_made(monitoring, collection)):
            _delete(monitoring, made, say)
    for service in list(_made(monitoring, "services")):
        name = service["name"].rpartition("/")[2]
        for objective in list(monitoring.list(f"services/{name}/serviceLevelObjectives", "serviceLevelObjectives")):
            _delete(monitoring, objective, say)
        _delete(monitoring, service, say)


def _watch(
    config: Config, monitoring: Monitoring, service: Service, host: str, channels: Sequence[str], say: Say
) -> None:
    """The objectives, the check and the policies of one service."""
    names = {"PROJECT": config.project, "REGION": config.region, "SERVICE": service.name, "HOST": host}
    text = _FILE.read_bytes()
    alerts = Alerts.read(text, **names)
    _put_service(monitoring, service.name, alerts.objectives, say)
    policies = dict(alerts.policies)
    if service.transport == "http":
        _drop_moved(monitoring, service.name, alerts.uptime, say)
        check = _put(monitoring, "uptimeCheckConfigs", service.name, alerts.uptime, say)
        policies = dict(Alerts.read(text, **names, CHECK=check["name"].rpartition("/")[2]).policies)
    else:
        del policies["uptime"]
    told = {"notificationChannels": channels} if channels else {}  # who is told stays as it is
    for name, policy in policies.items():
        _put(monitoring, "alertPolicies", f"{service.name}-{name}", policy | told, say)


def _put_service(monitoring: Monitoring, name: str, objectives: Mapping[str, Document], say: Say) -> None:
    """A service of Monitoring with its objectives; their names are ours to choose."""
    services = {found["name"] for found in monitoring.list("services", "services")}
    path = f"{monitoring.project}/services/{name}"
    if path not in services:
        document = {"displayName": name, "custom": {}, "userLabels": {_LABEL: name}}
        monitoring.ask("POST", f"{monitoring.project}/services", {"serviceId": name}, document)
    collection = f"services/{name}/serviceLevelObjectives"
    known = {found["name"]: found for found in monitoring.list(collection, "serviceLevelObjectives")}
    for key, objective in objectives.items():
        there = known.get(f"{path}/serviceLevelObjectives/{key}")
        if there is None:
            parameters = {"serviceLevelObjectiveId": key}
            monitoring.ask("POST", f"{monitoring.project}/{collection}", parameters, dict(objective))
        _change(monitoring, there, objective)
        say(f"objective: {objective['displayName']}")


def _put(monitoring: Monitoring, collection: str, key: str, document: Document, say: Say) -> Document:
    """Make a document, or change the one with this key; returns it as it is there."""
    label = _label(key)
    found = [made for made in _made(monitoring, collection) if made["userLabels"][_LABEL] == label]
    wanted = {**document, "userLabels": {_LABEL: label}}
    there = found[0] if found else monitoring.ask("POST", f"{monitoring.project}/{collection}", None, wanted)
    _change(monitoring, there, wanted)
    say(f"{collection}: {document['displayName']}")
    return there


def _drop_moved(monitoring: Monitoring, service: str, wanted: Document, say: Say) -> None:
    """Remove the check of a service that has another address now, which cannot be changed, and what refers to it."""
    labels = {"alertPolicies": _label(f"{service}-uptime"), "uptimeCheckConfigs": _label(service)}
    found = {
        collection: [made for made in _made(monitoring, collection) if made["userLabels"][_LABEL] == label]
        for collection, label in labels.items()
    }
    if any(
        not _holds(check, {"monitoredResource": wanted["monitoredResource"]}) for check in found["uptimeCheckConfigs"]
    ):
        for made in (*found["alertPolicies"], *found["uptimeCheckConfigs"]):
            _delete(monitoring, made, say)


def _delete(monitoring: Monitoring, made: Document, say: Say) -> None:
    monitoring.ask("DELETE", made["name"])
    say(f"removed: {made.get('displayName', made['name'])}")


def _change(monitoring: Monitoring, there: Document | None, wanted: Document) -> None:
    """Change what differs of a document that is there."""
    if there is not None and (changed := [name for name in wanted if not _holds(there.get(name), wanted[name])]):
        mask = {"updateMask": ",".join(changed)}
        monitoring.ask("PATCH", there["name"], mask, {**wanted, "name": there["name"]})


def _holds(there: object, wanted: object) -> bool:
    """Whether a document has all that is wanted; Monitoring adds members of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(_holds(there.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(there, list) and len(there) == len(wanted) and all(map(_holds, there, wanted))
    return there == wanted


def _made(monitoring: Monitoring, collection: str) -> Iterator[Document]:
    """What was made here, of a collection."""
    found = monitoring.list(collection, collection)
    return (document for document in found if _LABEL in document.get("userLabels", {}))


def _channel(to: str) -> Document:
    if to.startswith("https://"):
        return {"type": "webhook_tokenauth", "displayName": urlsplit(to).netloc, "labels": {"url": to}}
    if "@" in to:
        return {"type": "email", "displayName": to, "labels": {"email_address": to}}
    raise ConfigError(f"{to} is neither an e-mail address nor an https address.")


def _label(key: str) -> str:
    """A key as the value of a label may be: small letters, digits and hyphens, at most 63; others get their hash."""
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in key.lower())
    if plain == key and len(plain) <= _LONGEST:
        return plain
    return f"{plain[9 - _LONGEST :]}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _named(document: object, names: Mapping[str, str]) -> object:
    if isinstance(document, dict):
        return {name: _named(value, names) for name, value in document.items()}
    if isinstance(document, list):
        return [_named(value, names) for value in document]
    if isinstance(document, str):
        for word, name in names.items():
            document = document.replace(word, name)
    return document

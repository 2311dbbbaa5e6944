"""The limits and addresses of a running service, from environment variables. Unknown names are refused."""

import dataclasses
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from validation.errors import SettingsError

PREFIX = "BOXWOOD_"
_LARGEST = 2**31 - 1  # the largest integer that gRPC's C core takes
_DAY = 86_400
_BOUNDS: Mapping[str, tuple[int, int]] = {
    "max_request_seconds": (1, _DAY),
    "max_answer_seconds": (1, _DAY),
    "max_wait_ms": (1, 1_000 * _DAY),
    "max_hang_seconds": (0, _DAY),
    "max_reading_bytes": (0, _LARGEST),
    "batching": (0, 1),
    "direct": (0, 1),
    "workers": (1, 1_000),
    "grpc_port": (0, 65_535),
    "grpc_listeners": (1, 64),
    "max_grpc_connection_seconds": (0, _DAY),
    "http_port": (1, 65_535),
    "journal_percent": (1, 100),
    "journal_rows_per_second": (1, 100_000),
    "journal_file_mb": (1, 10_000),
    "journal_mb": (1, 10_000_000),
    "journal_days": (1, 10_000),
    "challenger_percent": (1, 100),
    "hsts_seconds": (0, _LARGEST),
    "audit_mb": (1, 10_000_000),
    "audit_days": (1, 10_000),
}
"""The lowest and the highest value of numbers; by default 1 and `_LARGEST`."""
SHADOW, AB = "shadow", "ab"
"""What a challenger does: it is asked in silence, or answers a share of the callers."""
LISTED, ANY = "listed", "any"
"""Whose identity tokens are good: those of the subjects that the file of keys lists, or all of the issuer's."""
OPEN, CLOSED = "open", "closed"
"""What happens to callers with a quota while Redis is away: each worker counts by itself, or they are refused."""
METRICS, DOCS = "metrics", "docs"
"""The routes that may be open to who has no key."""
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "transport": ("http", "grpc"),
    "challenger": ("", SHADOW, AB),
    "open_routes": ("", METRICS, DOCS, f"{METRICS},{DOCS}"),
    "oidc_callers": (LISTED, ANY),
    "quota_without_redis": (OPEN, CLOSED),
}
"""The allowed values of texts that have a choice."""
_PORT = re.compile(":[1-9][0-9]{0,4}")
_URL = re.compile(r"https?://[!-~]+")
_LINK = re.compile(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")
"""The suffixes of the variables that Kubernetes sets in every pod for each Service of the namespace."""
NOT_SETTINGS = frozenset({"BOXWOOD_DATA", "BOXWOOD_SIGNING_KEY"})
"""Names with the prefix that are read elsewhere: the folder in which the tests find real tables, and the file of the
private key by which the registry signs."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the service; `BOXWOOD_<NAME>` sets it.

    Attributes:
        max_body_bytes: the largest request body.
        max_reading_bytes: the most bytes of bodies that a worker holds while they arrive, small ones aside; 0 for a
            sixteenth of the container's memory, divided among the workers; never less than one body.
        max_rows: the most rows of one request.
        max_connections: the most HTTP connections, and the most calls over gRPC, that a worker has open at a time.
        max_request_seconds: how long a request may take to arrive, and its answer may wait to be taken.
        max_answer_seconds: how long a large request or an explanation may take until it is refused.
        max_wait_ms: how many milliseconds a request may have to wait for those before it; beyond it is refused.
        max_hang_seconds: how long a worker's event loop may stand still until the worker is replaced; 0 for ever.
        batching: 1 predicts the rows of concurrent requests together; 0 each request's by themselves.
        direct: 1 answers requests of few rows straight from their connection; 0 all of them through ASGI.
        workers: how many processes answer.
        cors_origins: the origins whose pages may ask, with commas between them; "*" for all, "" for none.
        grpc_host: the address to listen on for gRPC.
        grpc_port: its port; 0 for no gRPC.
        grpc_listeners: how many gRPC servers share that port in a worker.
        max_grpc_connection_seconds: how long a connection of gRPC gets new calls, so that a client that balances looks
            for new servers; 0 for ever.
        transport: "http" or "grpc": which of them a worker alone serves at the one port that its platform gives it.
        http_port: where HTTP then is for the machine itself, if that port is gRPC's.
        image: the image that the service was started from, for the lineage of its models.
        journal: where answered rows are recorded: a folder, "stdout", or "" for nowhere.
        journal_percent: the share of them that is recorded.
        journal_rows_per_second: the most cases that a worker records, and a quarter as many rows that are none; more
            are dropped and counted.
        journal_file_mb: from what size on a file of the journal gets no more lines; at most half of a worker's share.
        journal_mb: the most megabytes that all files in the folder hold together; the oldest are removed.
        journal_days: how many days a file is kept.
        journal_secret: what key columns are hashed with in the journal; they are left out without one.
        challenger: what the second version of a model does: "shadow" is asked for the rows that are recorded, "ab"
            answers a share of the callers, "" nothing unless it is asked by its version.
        challenger_percent: that share.
        watch: the folder of the watch store, whose verdicts and metrics are passed on; "" for none.
        tls_cert: the file with the certificate that HTTP and gRPC show, and those that vouch for it, as PEM; "" for no
            TLS.
        tls_key: the file with its key.
        tls_client_ca: the file with the authorities of clients: who has no certificate of theirs may not connect; ""
            lets everybody.
        hsts_seconds: how long browsers that have seen a page over TLS ask this host, at whatever port, over TLS only;
            0 does not say so.
        trusted_keys: files with the public keys whose signatures are accepted, and folders of such files, with commas
            between them; "" accepts bundles without a signature.
        ui: where the page is that asks this service: a URL, or ":7860" for that port of the host that was asked; "" for
            none.
        api_keys: the file of the keys of those who may ask, see `python -m serving.access`; anybody may without one.
        open_routes: what anybody may ask beside the probes: "metrics", "docs", both with a comma between them, or "".
        oidc_issuer: whose identity tokens are good as well: a URL, as `iss` has it; "" for none.
        oidc_audience: what `aud` of such a token has to name.
        oidc_jwks: where the issuer's keys are: a URL; "" to ask the issuer.
        oidc_callers: "listed" for the subjects in the file of keys, "any" for all that the issuer gives a token to.
        quota_redis: where quotas are counted for all workers and instances: redis://…; "" for each by itself.
        quota_without_redis: "open" or "closed": what quotas do while it is away.
        audit: where a line for each request goes: a folder, "stdout", or "" for nowhere.
        audit_mb: the most megabytes that all files in the folder hold together; the oldest are removed.
        audit_days: how many days a file is kept.
    """

    max_body_bytes: int = 16 * 2**20
    max_reading_bytes: int = 0
    max_rows: int = 20_000
    max_connections: int = 2_000
    max_request_seconds: int = 20
    max_answer_seconds: int = 30
    max_wait_ms: int = 500
    max_hang_seconds: int = 10
    batching: int = 1
    direct: int = 1
    workers: int = 1
    cors_origins: str = ""
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 50_051
    grpc_listeners: int = 16
    max_grpc_connection_seconds: int = 0
    transport: str = "http"
    http_port: int = 3_000
    image: str = ""
    journal: str = ""
    journal_percent: int = 100
    journal_rows_per_second: int = 200
    journal_file_mb: int = 64
    journal_mb: int = 2_000
    journal_days: int = 30
    journal_secret: str = ""
    challenger: str = ""
    challenger_percent: int = 10
    watch: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    hsts_seconds: int = 31_536_000
    trusted_keys: str = ""
    ui: str = ""
    api_keys: str = ""
    open_routes: str = ""
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_jwks: str = ""
    oidc_callers: str = LISTED
    quota_redis: str = ""
    quota_without_redis: str = OPEN
    audit: str = ""
    audit_mb: int = 2_000
    audit_days: int = 90

    def __post_init__(self) -> None:
        if self.ui and not _is_place(self.ui):
            raise SettingsError(
                f"{PREFIX}UI is {self.ui[:100]!r}; it takes the URL of the page (https://page.example), or its port if "
                "it is on the same host (:7860)."
            )
        if self.challenger == SHADOW and not self.journal:
            raise SettingsError(
                f"{PREFIX}CHALLENGER is {SHADOW}, and what a shadow answers is recorded in the journal only. Set "
                f"{PREFIX}JOURNAL to a folder or to stdout as well."
            )
        if bool(self.tls_cert) != bool(self.tls_key) or (self.tls_client_ca and not self.tls_cert):
            raise SettingsError(
                f"TLS needs a certificate and its key: set both {PREFIX}TLS_CERT and {PREFIX}TLS_KEY, or neither "
                f"and no {PREFIX}TLS_CLIENT_CA."
            )
        if "://" in self.watch:
            raise SettingsError(
                f"{PREFIX}WATCH is {self.watch[:100]!r}; the service reads verdicts from a folder. Mount the "
                "bucket, or leave it empty: `python -m monitoring` takes the address all the same."
            )

    @property
    def guarded(self) -> bool:
        """Whether callers have to say who they are."""
        return bool(self.api_keys or self.oidc_issuer)

    @property
    def told_to_all(self) -> bool:
        """Whether who need not be known reads what is served, although callers have to."""
        return self.guarded and DOCS in self.open_routes.split(",")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; raises SettingsError, which lists the choices, for an unknown name or a bad value."""
        fields = {PREFIX + field.name.upper(): field for field in dataclasses.fields(cls)}
        links = _service_links(environment)
        values: dict[str, Any] = {}
        for variable, text in environment.items():
            if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
                continue
            # a Service boxwood-grpc has a BOXWOOD_GRPC_PORT too, which is tcp://…
            if variable in links and (variable not in fields or "://" in text):
                continue
            if variable not in fields:
                raise SettingsError(f"{variable} is not a setting. There are: {', '.join(fields)}.")
            field = fields[variable]
            values[field.name] = (
                _text(variable, text, _CHOICES.get(field.name, ()))
                if field.type is str
                else _number(variable, text, *_BOUNDS.get(field.name, (1, _LARGEST)))
            )
        return cls(**values)


def _service_links(environment: Mapping[str, str]) -> set[str]:
    """The variables that Kubernetes sets for Services; each Service has a host and a port among them."""
    names = (variable.removesuffix("_SERVICE_HOST") for variable in environment if variable.endswith("_SERVICE_HOST"))
    services = [f"{name}_" for name in names if f"{name}_SERVICE_PORT" in environment]
    return {
        variable
        for variable in environment
        for service in services
        if variable.startswith(service) and _LINK.fullmatch(variable, len(service))
    }


def _is_place(text: str) -> bool:
    """Whether it is a URL to redirect a browser to, or a port after a colon."""
    if text.startswith(":"):
        return bool(_PORT.fullmatch(text)) and int(text[1:]) < 65_536
    try:
        parts = urllib.parse.urlsplit(text)
        return bool(_URL.fullmatch(text) and parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port, or an unclosed bracket
        return False


def _text(variable: str, text: str, choices: Sequence[str]) -> str:
    if choices and text not in choices:
        raise SettingsError(
            f"{variable} is {text[:100]!r}; it takes one of: {', '.join(choice or 'nothing' for choice in choices)}."
        )
    return text


def _number(variable: str, text: str, lowest: int, highest: int) -> int:
    # int() itself fails at some thousand digits
    if not text.isdecimal() or len(text) > len(str(highest)) or not lowest <= int(text) <= highest:
        raise SettingsError(f"{variable} is {text[:100]!r}; it takes a whole number from {lowest} to {highest}.")
    return int(text)

"""TLS for HTTP and gRPC from three files, which are looked at again before each handshake.

A renewed certificate is shown to the next client that connects; connections that are open keep the one they began with.
Files that do not fit together, as in the middle of a renewal, change nothing: what was read last is shown on.
"""

import logging
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from serving import logs
from serving.handshakes import Handshake, Handshakes, loop_of, seconds
from serving.settings import PREFIX, Settings
from validation.errors import SettingsError

if TYPE_CHECKING:
    import grpc

_log = logging.getLogger("boxwood.tls")
_Stamp = tuple[tuple[int, int, int], ...]
"""Of each file: its inode, its time of change and its size. A folder whose link is swapped shows other inodes."""


class _Material(NamedTuple):
    """What a handshake needs, as the files had it at one moment."""

    context: ssl.SSLContext
    chain: bytes
    key: bytes
    client_ca: bytes | None


class Certificates:
    """What a server shows to clients, and what it demands of them; safe for threads."""

    def __init__(self, settings: Settings) -> None:
        """Read the files that the settings name; raises SettingsError if they cannot be used."""
        self._chain, self._key = Path(settings.tls_cert), Path(settings.tls_key)
        self._client_ca = Path(settings.tls_client_ca) if settings.tls_client_ca else None
        self._lock = threading.Lock()
        try:
            self._stamp: _Stamp | None = self._look()
            self._material = self._read()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise SettingsError(
                f"TLS cannot be served with {PREFIX}TLS_CERT={self._chain}, {PREFIX}TLS_KEY={self._key}"
                f"{f' and {PREFIX}TLS_CLIENT_CA={self._client_ca}' if self._client_ca else ''}: {error}. The files are "
                "PEM: the chain with the server's certificate first, its key without a password, and the authorities "
                "whose clients may connect."
            ) from error

    @property
    def current(self) -> _Material:
        """What the files have now, or what they had when they last fitted together."""
        with self._lock:
            stamp: _Stamp | None = None
            try:
                stamp = self._look()
                if stamp == self._stamp:
                    return self._material
                material = self._read()
                if stamp != self._look():
                    return self._material  # changed while they were read: the next handshake reads them again
                self._material = material
                _log.warning("certificates renewed", extra=logs.facts(logs.NOBODY, cert=str(self._chain)))
            except (OSError, ValueError) as error:
                if stamp != self._stamp:  # said once for each state of the files
                    reason = {"cert": str(self._chain), "reason": str(error)}
                    _log.error("certificates not renewed", extra=logs.facts(logs.NOBODY, **reason))
            self._stamp = stamp
            return self._material

    def _look(self) -> _Stamp:
        files = [file.stat() for file in (self._chain, self._key, self._client_ca) if file]
        return tuple((file.st_ino, file.st_mtime_ns, file.st_size) for file in files)

    def _read(self) -> _Material:
        """Read the files; raises OSError and ValueError if they cannot be read or do not fit together."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslobject_class = Handshake
        context.set_alpn_protocols(["http/1.1"])
        # without a password OpenSSL would ask for one on the terminal
        context.load_cert_chain(self._chain, self._key, password="")
        client_ca = self._client_ca.read_bytes() if self._client_ca else None
        if client_ca is not None:
            context.load_verify_locations(cadata=client_ca.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return _Material(context, self._chain.read_bytes(), self._key.read_bytes(), client_ca)


class _Renewed(ssl.SSLContext):
    """A context for servers that keep the one they were started with: each handshake gets the newest.

    A context of its own for each renewal also ends the resumption of sessions that began with earlier files, so a
    client whose authority is no longer trusted cannot come back by a ticket.
    """

    certificates: Certificates
    handshakes: Handshakes

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """Begin a handshake; raises Overloaded."""
        begun = self.certificates.current.context.wrap_bio(*arguments, **named)
        if isinstance(begun, Handshake):
            begun.begin(self.handshakes)
        return begun


def of(settings: Settings) -> Certificates | None:
    """The certificates that the settings name, None if they name none; raises SettingsError."""
    return Certificates(settings) if settings.tls_cert else None


def http(certificates: Certificates, handshakes: Handshakes) -> ssl.SSLContext:
    """A context for uvicorn."""
    context = _Renewed(ssl.PROTOCOL_TLS_SERVER)
    context.certificates, context.handshakes = certificates, handshakes
    return context


def install(settings: Settings) -> None:
    """Make uvicorn use `http` in this process, if TLS is served; raises SettingsError.

    BentoML starts uvicorn without a choice of context, so the function by which uvicorn makes one is replaced, and so
    is the event loop that it calls "auto".
    """
    certificates = of(settings)
    if certificates is not None:
        from uvicorn import config  # the supervisor, which imports this module too, needs none

        context = http(certificates, Handshakes(settings))
        config.create_ssl_context = lambda *_, **__: context
        config.LOOP_FACTORIES["auto"] = loop_of(seconds(settings))  # type: ignore[assignment] # or what it would name


def for_bentoml(settings: Settings) -> dict[str, Any]:
    """What BentoML's service is told, so that its supervisor starts workers with TLS."""
    files = {"certfile": settings.tls_cert, "keyfile": settings.tls_key}
    return {"ssl": {"enabled": True, **files}} if settings.tls_cert else {}


def for_grpc(certificates: Certificates) -> "grpc.ServerCredentials":
    """Credentials for one gRPC server; others need their own, since each is told of a renewal once."""
    import grpc  # the supervisor serves nothing

    shown = certificates.current
    mutual = shown.client_ca is not None

    def configured(material: _Material) -> "grpc.ServerCertificateConfiguration":
        return grpc.ssl_server_certificate_configuration([(material.key, material.chain)], material.client_ca)

    def newer() -> "grpc.ServerCertificateConfiguration | None":
        nonlocal shown
        before, shown = shown, certificates.current
        return None if shown is before else configured(shown)

    fetch: Callable[[], Any] = newer
    return grpc.dynamic_ssl_server_credentials(configured(shown), fetch, require_client_authentication=mutual)

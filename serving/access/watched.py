"""Reading the file of keys again when it changes, off the event loop: a mounted file may be slow, or hang."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from serving.access import keys
from serving.access.keys import Document
from serving.repeated import Repeated
from validation.errors import SettingsError

LOOK_SECONDS = 1.0
"""How often its time, size and place are compared."""
_READ_SECONDS = 60.0
"""It is read so often even if they are the same: some mounts of secrets do not say when they change."""
_FAILED = "the file of keys cannot be read, and the keys from before stay"
_log = logging.getLogger("boxwood.access")


class Watched:
    """A file whose changes are told; one that cannot be read changes nothing, and is logged."""

    def __init__(
        self, path: Path, changed: Callable[[Document], None], elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        """Call `changed` with each new content, in the thread that calls `look`."""
        self._path, self._changed, self._elapsed = path, changed, elapsed
        self._seen: tuple[int, int, int] | None = None
        self._read = -_READ_SECONDS
        self._content = b""
        self._repeated = Repeated("keys", self.look, LOOK_SECONDS, _FAILED, _log)

    def start(self) -> None:
        """Read it for the first time, and look at it from now on; raises SettingsError."""
        self._content = self._path.read_bytes() if self._path.is_file() else b""
        self._changed(keys.read(self._path))
        self._repeated.start()

    def stop(self) -> None:
        """Look no more."""
        self._repeated.stop(0)  # a file may hang

    def look(self) -> None:
        """Read the file if it may have changed."""
        now = self._elapsed()
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen == self._seen and now - self._read < _READ_SECONDS:
                return
            content = self._path.read_bytes()
            self._seen, self._read = seen, now
            if content == self._content:
                return
            self._changed(keys.parsed(content))
            self._content = content
            _log.info("the file of keys was read again")
        except (OSError, SettingsError) as error:
            self._seen = None
            self._repeated.complain(_FAILED, error)

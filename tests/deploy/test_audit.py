"""The audit of the locks, against a stand-in of OSV: what is found, what is accepted, and what could not be asked."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import audit
from tests.project import ROOT, free_port

VULNERABLE = "uv"
ADVISORY = {
    "id": "TEST-1",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "a hole",
    "affected": [
        {
            "package": {"name": VULNERABLE, "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
    ],
}


class Osv(http.server.BaseHTTPRequestHandler):
    """Knows one vulnerability."""

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
        found = [{"vulns": [ADVISORY]} if query["package"]["name"] == VULNERABLE else {} for query in queries]
        self._answer({"results": found})

    def do_GET(self) -> None:
        self._answer(ADVISORY)

    def _answer(self, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def osv() -> Iterator[str]:
    """Where the stand-in answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"--service-url=http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def lock(tmp_path: Path) -> str:
    """A lock with a package that has a vulnerability."""
    pinned = tmp_path / "lock.txt"
    pinned.write_text((ROOT / "requirements/uv.txt").read_text())
    return str(pinned)


@pytest.fixture
def other(tmp_path: Path) -> str:
    """A lock with one that has none."""
    [pinned] = [pin for pin in audit.pins((ROOT / "requirements/serving.txt").read_text()) if pin.startswith("idna=")]
    (tmp_path / "other.txt").write_text(f"{pinned}\n")
    return str(tmp_path / "other.txt")


def test_every_pin_of_a_lock_is_audited() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        pinned = [line for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))]
        assert len(audit.pins(text)) == len(pinned) > 0, path
    assert audit.pins('a[b]==1.0 ; python_version < "3.12" \\\n    --hash=sha256:0\n') == [
        'a[b]==1.0 ; python_version < "3.12"'
    ]


def test_what_is_found_fails_unless_it_is_accepted(
    osv: str, lock: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main([other, osv]) == 0
    assert "1 packages, none with a known vulnerability" in capsys.readouterr().out
    assert audit.main([other, lock, osv]) == audit.FOUND
    assert "TEST-1: a hole" in capsys.readouterr().out
    assert audit.main([lock, osv, "--ignore", "TEST-1"]) == 0


@pytest.mark.slow  # pip-audit tries again for seconds
def test_what_could_not_be_asked_is_not_taken_for_safe(
    osv: str, lock: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = f"--service-url=http://127.0.0.1:{free_port()}"
    assert audit.main([other, nobody]) == audit.UNKNOWN
    assert "could not be asked about, so nothing is known of it" in capsys.readouterr().err
    assert audit.main([lock, other, osv]) == audit.FOUND

"""Where tables come from: paths and URLs, each that leads nowhere with a sentence, and nothing changed by it."""

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
import yaml

from problems.base import Problem
from problems.parameters import PARAMS
from tests.training.data.test_ingest import GOOD, HEADER, PLACE, here, lines  # noqa: F401 a fixture that each test uses
from training.data import ingest, source, tables
from validation.errors import TableError


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("nowhere.csv", r"nowhere\.csv does not exist"),
        (".", "is a folder"),
        ("http://127.0.0.1:port/table.csv", "Nothing was changed; check the URL"),
        ("ftp://127.0.0.1:9/table.csv", "could not be read: ConnectionRefusedError"),
        ("ftpx://127.0.0.1/table.csv", "ftpx is none"),
        ("http://[x/table.csv", "is no URL"),
        ("http://127.0.0.1:port/a b.csv", "could not be downloaded"),
        ("renamed.csv", r"renamed\.csv lacks the column 'flightType' \(renamed to 'flight_type'\?\)"),
        ("params.yaml", "params.yaml lacks the columns"),
        ("http://127.0.0.1:9/table.csv", "could not be downloaded"),
    ],
)
def test_a_source_that_is_not_there_changes_nothing(flights: Problem, data: str, says: str) -> None:
    Path("good.csv").write_text(lines(GOOD))
    source.main(flights, "good.csv")
    Path("renamed.csv").write_text(lines(GOOD, header=HEADER.replace("flightType", "flight_type")))
    before = PLACE.source.read_text()
    with pytest.raises(TableError, match=says):
        source.main(flights, data)
    assert PLACE.source.read_text() == before
    ingest.main(flights)


STATUS = {"/absent.csv": 404, "/private.csv": 403, "/busy.csv": 503}


class Tables(http.server.BaseHTTPRequestHandler):
    """Serves a table, and one that breaks off."""

    def do_GET(self) -> None:
        content = lines(GOOD).encode()
        if self.path == "/chunked.csv":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")
            return
        if self.path in STATUS:
            self.send_error(STATUS[self.path])
            return
        if self.path == "/login":
            content = b"<!doctype html><title>Sign in</title>"
        if self.path == "/packed?format=csv":
            content = gzip.compress(content)
        self.send_response(200)
        length = str(len(content) + (10 if self.path == "/broken.csv" else 0))
        self.send_header("Content-Length", "unknown" if self.path == "/unsure.csv" else length)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name that http.server gives it
        pass


@pytest.fixture
def website() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tables) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_table_from_a_url(flights: Problem, website: str) -> None:
    source.main(flights, f"{website}/table.csv?version=2")
    assert json.loads(PLACE.source.read_text())["origin"] == f"{website}/table.csv"  # without what may be a secret
    ingest.main(flights)
    assert len(tables.read(PLACE.bronze)) == 1


@pytest.mark.parametrize(
    ("path", "name"), [("export?format=csv", "export.csv"), ("packed?format=csv", "packed.gz"), ("unsure.csv",) * 2]
)
def test_what_a_url_serves_says_what_it_is(flights: Problem, website: str, path: str, name: str) -> None:
    source.main(flights, f"{website}/{path}")
    assert PLACE.table is not None
    assert PLACE.table.name == name
    ingest.main(flights)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent.csv", "Not Found. Nothing was changed; there is no such file at that address .status 404"),
        ("private.csv", "the file may not be read without credentials .status 403"),
        ("busy.csv", "Service Unavailable. Nothing was changed; try again later"),
        ("broken.csv", "broke off after"),
        ("chunked.csv", "could not be"),
        ("login", "login.csv is a web page or XML. Bring the table itself"),
    ],
)
def test_a_url_that_fails_leaves_nothing(flights: Problem, website: str, name: str, says: str) -> None:
    with pytest.raises(TableError, match=says):
        source.main(flights, f"{website}/{name}")
    assert not PLACE.raw.exists()
    assert list(PLACE.folder.iterdir()) == []


def test_a_problem_without_parameters_has_the_defaults(flights: Problem) -> None:
    PARAMS.write_text(PARAMS.read_text().replace("\nflights:", "\nfares:").replace("[flights]", "[churn]"))
    Path("good.csv").write_text(lines(GOOD))
    source.main(flights, "good.csv")
    assert "problems: [churn, flights] # that have a table here" in PARAMS.read_text()
    names = "source, clean, split, train, privacy, evaluate, promote, cluster, monitor, retrain"
    sections = "{" + names.replace(",", ": {},") + ": {}}"
    assert PARAMS.read_text().endswith(f"\n\nflights: {sections}\n")
    assert PLACE.document() == yaml.safe_load(PARAMS.read_text())["defaults"]


def test_a_table_in_a_store_that_fsspec_knows(flights: Problem) -> None:
    fsspec.filesystem("memory").pipe("/tables/fares.csv", lines(GOOD).encode())
    source.main(flights, "memory://tables/fares.csv")
    assert json.loads(PLACE.source.read_text())["origin"] == "memory://tables/fares.csv"
    ingest.main(flights)


def test_a_problem_whose_table_was_brought_gets_its_stages(flights: Problem) -> None:
    text = PARAMS.read_text()
    PARAMS.write_text(text.replace("problems: [flights]", "problems: [churn]"))
    source.main(flights, "simulated")
    assert PARAMS.read_text() == text.replace("problems: [flights]", "problems: [churn, flights]")

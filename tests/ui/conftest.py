"""One service with three models, one page before it, one browser: they end with the last test that needs them."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from playwright.sync_api import Browser, expect, sync_playwright

from tests.project import Project, free_port
from tests.ui import houses
from tests.ui.pages import page_process
from tests.ui.test_watching import DOCUMENT
from tests.ui.visitor import Api, Visitor, visitors
from tests.ui.wire import Wire
from training.__main__ import STAGES

expect.set_options(timeout=20_000)  # how fast this machine is, is not what these tests are about
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="package")
def housed(churned: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project of flights and churn with a third problem, which has three classes."""
    project = Project(churned.copy(tmp_path_factory.mktemp("housed") / "project").folder, own_code=True)
    (project.folder / "problems/houses").mkdir()
    shutil.copy(houses.__file__, project.folder / "problems/houses/__init__.py")
    params = project.folder / "params.yaml"
    document = yaml.safe_load(params.read_text())
    document["houses"] = document["churn"] | {"train": {**document["churn"]["train"], "costs": {}}}
    params.write_text(yaml.safe_dump(document))
    houses.write_table(project.folder / "houses.csv")
    project.stages("source --data houses.csv", *STAGES, problem="houses")
    return project


@pytest.fixture(scope="package")
def service(housed: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service of a regression, two classes and three, which are watched."""
    problems = ("flights", "churn", "houses")
    store = tmp_path_factory.mktemp("watch")
    for problem in problems:
        (store / problem).mkdir()
        (store / problem / "verdict.json").write_text(json.dumps({**DOCUMENT, "model": problem}))
    tags = ",".join(housed.receipt(problem=problem)["tag"] for problem in problems)
    bento = housed.build("--arg", f"models={tags}")
    with housed.serve(bento, tmp_path_factory.mktemp("three"), BOXWOOD_WATCH=str(store)) as client:
        yield client


@pytest.fixture(scope="package")
def wire(service: httpx.Client) -> Wire:
    """What lies between the page and the service."""
    return Wire(str(service.base_url).rstrip("/"))


@pytest.fixture(scope="package")
def page_url(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page of that service is."""
    with wire.listening(free_port()) as api, page_process(api, tmp_path_factory.mktemp("page")) as url:
        yield f"{url}/"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium, as the machine has it."""
    assert CHROMIUM, "there is no Chromium; make browser-tools"
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has none for root
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """It ends with its module: Playwright keeps an event loop running, which other tests start themselves."""
    with chromium() as started:
        yield started


@pytest.fixture
def api(service: httpx.Client) -> Api:
    """The service as everybody else sees it."""
    return Api(service)


@pytest.fixture
def new_visitor(browser: Browser, page_url: str) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors with a browser of their own each; nothing may go wrong in any."""
    with visitors(browser, viewport={"width": 1200, "height": 900}) as make:
        yield lambda url=page_url, **habits: make(url, **habits)


@pytest.fixture
def visitor(new_visitor: Callable[..., Visitor]) -> Visitor:
    """One visitor."""
    return new_visitor()


@pytest.fixture
def table_folder(tmp_path: Path) -> Path:
    """Where a visitor has tables."""
    return tmp_path

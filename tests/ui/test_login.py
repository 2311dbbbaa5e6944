"""Who is let in to the page, where that is not anybody: by a password, or by the proxy before it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.project import Project
from tests.serving.access import made
from tests.ui.over_http import Script
from tests.ui.pages import page_process
from tests.ui.test_access import AXE, serious
from tests.ui.visitor import Visitor, visitors
from ui import users
from ui.attempts import AT_ONCE, SECONDS, Attempts
from ui.login import SESSION_SECONDS, Sessions
from ui.users import Users

NAME, PASSWORD = "ann", "correct horse"
EVERYWHERE = "0.0.0.0"  # noqa: S104 to see what is said of it
HEADER = "X-Forwarded-User"
ROUTES = (
    "/?model=flights", "/config", "/theme.css", "/gradio_api/info", "/gradio_api/app_id", "/gradio_api/token",
    "/gradio_api/heartbeat/x", "/gradio_api/queue/data?session_hash=x", "/gradio_api/file=/etc/passwd",
    "/gradio_api/startup-events", "/assets/index.js", "/static/img/logo.svg", "/gradio_api/runs", "/monitoring",
    "/nothing", "/livez/", "/LIVEZ", "/%6civez/../config", "/gradio_api/stream/a/b/c/playlist.m3u8",
)  # fmt: skip
"""Of Gradio's routes, those that its own login guards and those that it leaves open, and what is no route."""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one user."""
    path = tmp_path_factory.mktemp("users") / "users"
    users.changed(path, NAME, users.hashed(PASSWORD))
    return path


@pytest.fixture(scope="module")
def guarded(client: httpx.Client, known: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is that wants a password."""
    folder = tmp_path_factory.mktemp("guarded")
    with page_process(str(client.base_url).rstrip("/"), folder, "--users", str(known)) as url:
        yield url


@pytest.fixture
def anybody(guarded: str) -> Iterator[httpx.Client]:
    """Somebody who has not logged in to it."""
    with httpx.Client(base_url=guarded, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def proxied(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a page that trusts a header."""
    folder = tmp_path_factory.mktemp("proxied")
    with (
        page_process(str(client.base_url).rstrip("/"), folder, "--login-header", HEADER) as url,
        httpx.Client(base_url=url, timeout=60) as connected,
    ):
        yield connected


def log_in(client: httpx.Client, name: str = NAME, password: str = PASSWORD, **headers: str) -> httpx.Response:
    """What the form sends."""
    return client.post("/?model=flights", data={"name": name, "password": password}, headers=headers)


def test_without_a_login_nothing_is_answered_but_the_form(anybody: httpx.Client) -> None:
    assert anybody.get("/livez").text == "ok"
    form = anybody.get("/")
    assert "gradio" not in form.text.lower()
    assert form.headers["cache-control"] == "no-store"
    assert "form-action 'self'" in form.headers["content-security-policy"]
    for route in ROUTES:
        answer = anybody.get(route)
        assert answer.status_code == 401 or answer.text == form.text, route
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "QUERY"):
            if not route.startswith("/?"):
                assert anybody.request(method, route, content=b"{}").status_code == 401, (method, route)
    for cookie in ("boxwood-page-00000000=x", "access-token=x", ";;=;", "=", "\xff"):
        assert anybody.get("/config", headers={b"cookie": cookie.encode("latin-1")}).status_code == 401
    for path in ("/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/run/predict", "/login", "/config"):
        assert anybody.post(path, json={}).status_code == 401


def test_who_has_logged_in_uses_the_page_until_logging_out(anybody: httpx.Client) -> None:
    entered = log_in(anybody)
    assert entered.status_code == 303
    assert entered.headers["location"] == ".?model=flights"
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    script = Script(anybody)
    assert "data-value" in script.tell("predict", "click")[0]
    token = dict(anybody.cookies)
    assert anybody.post("/logout").status_code == 303
    assert not anybody.cookies
    for name, value in token.items():
        assert anybody.get("/config", headers={"cookie": f"{name}={value}"}).status_code == 401


def test_the_cookie_is_for_https_only_where_the_page_is_shown_over_it(anybody: httpx.Client) -> None:
    assert "Secure" in log_in(anybody, **{"x-forwarded-proto": "https"}).headers["set-cookie"]


def test_what_is_no_login_is_none(anybody: httpx.Client) -> None:
    for name, password in ((NAME, "another password"), ("bob", PASSWORD), ("", ""), (PASSWORD, NAME)):
        answer = log_in(anybody, name, password)
        assert answer.status_code == 403
        assert "no such name with this password" in answer.text
    assert log_in(anybody, "<script>", "x").text.count("<script>") == 0
    for body in (b"", b"name", b"\xff\xfe%", b"&" * 4_000, b"name=" + b"a" * 5_000, b'{"name": "ann"}'):
        assert anybody.post("/", content=body).status_code in (400, 403)
    assert not anybody.cookies


@pytest.mark.slow
def test_passwords_are_tried_ten_times_at_once_from_one_address(
    client: httpx.Client, known: Path, tmp_path: Path
) -> None:
    """As the proxy on the machine itself names it, which is trusted."""
    with (
        page_process(str(client.base_url).rstrip("/"), tmp_path, "--users", str(known)) as url,
        httpx.Client(base_url=url, timeout=60) as anybody,
    ):
        here = {"x-forwarded-for": "198.51.100.7"}
        told = [log_in(anybody, password="wrong", **here) for _ in range(AT_ONCE)]  # noqa: S106
        assert {answer.status_code for answer in told} == {403}
        for _ in range(AT_ONCE):  # in each ten seconds that pass meanwhile one more is tried
            late = log_in(anybody, password="wrong", **here)  # noqa: S106
            if late.status_code == 429:
                break
        assert 1 <= int(late.headers["retry-after"]) <= SECONDS
        assert "Too many passwords were tried from where you are" in late.text
        assert log_in(anybody, **{"x-forwarded-for": "198.51.100.8"}).status_code == 303


def test_attempts_are_counted_by_address_and_come_back() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    assert [attempts.begun("192.0.2.1") for _ in range(AT_ONCE)] == [0] * AT_ONCE
    assert attempts.begun("192.0.2.1") == SECONDS
    assert attempts.begun("::ffff:192.0.2.1") == SECONDS
    assert attempts.begun("192.0.2.2") == 0
    attempts.succeeded("192.0.2.1")
    assert attempts.begun("192.0.2.1") == 0
    now[0] = 4.5
    assert attempts.begun("192.0.2.1") == 6
    now[0] = SECONDS
    assert [attempts.begun("192.0.2.1") for _ in range(2)] == [0, SECONDS]
    assert [attempts.begun(f"2001:db8::{place}") for place in range(AT_ONCE + 1)] == [0] * AT_ONCE + [SECONDS]
    assert attempts.begun("2001:db8:0:1::1") == 0


def test_however_many_addresses_try_few_are_remembered() -> None:
    attempts = Attempts(lambda: 0.0)
    for place in range(25_000):
        attempts.begun(f"10.0.{place // 250}.{place % 250}")
    attempts.succeeded("10.0.0.0")  # which was forgotten
    assert attempts.begun("10.0.0.0") == 0


def test_the_form_of_another_site_logs_nobody_in(anybody: httpx.Client) -> None:
    for site in ("cross-site", "same-site"):
        assert log_in(anybody, **{"sec-fetch-site": site}).status_code == 403
    assert log_in(anybody, **{"sec-fetch-site": "same-origin"}).status_code == 303
    refused = anybody.post("/gradio_api/queue/join", json={}, headers={"sec-fetch-site": "cross-site"})
    assert refused.status_code == 403


def test_a_session_ends_with_its_time_its_password_and_its_user(tmp_path: Path) -> None:
    path, now = tmp_path / "users", [0.0]
    for name in ("ann", "bob"):
        users.changed(path, name, users.hashed(PASSWORD))
    known = Users(path)
    sessions = Sessions(known, lambda: now[0])
    ann, bob = (sessions.begun(name, known.current[name]) for name in ("ann", "bob"))
    assert (sessions.user(ann), sessions.user(bob), sessions.user("")) == ("ann", "bob", None)
    users.changed(path, "bob", users.hashed(PASSWORD))  # another salt
    assert sessions.user(bob) is None
    users.changed(path, "ann", None)
    assert sessions.user(ann) is None
    again = sessions.begun("bob", known.current["bob"])
    now[0] = SESSION_SECONDS
    assert sessions.user(again) is None


def test_whom_the_proxy_names_is_let_in(proxied: httpx.Client) -> None:
    assert proxied.get("/livez").status_code == 200
    for headers in (
        [],
        [(HEADER, "")],
        [(HEADER, "ann"), (HEADER, "bob")],
        [("X_Forwarded_User", "ann")],
    ):
        for route in (*ROUTES, "/"):
            assert proxied.get(route, headers=headers).status_code == 401, (headers, route)
    named = {HEADER: "ann@fares.example"}
    assert proxied.get("/config", headers=named).status_code == 200
    from_elsewhere = {**named, "sec-fetch-site": "cross-site"}
    assert proxied.post("/gradio_api/queue/join", json={}, headers=from_elsewhere).status_code == 403
    assert proxied.get("/?model=flights", headers=from_elsewhere).status_code == 200  # a link leads there


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--users", "/nothing"), "The users at /nothing cannot be read"),
        (("--users", "/nothing", "--login-header", HEADER), "choose one"),
        (("--login-header", "X User"), "takes the name of a header"),
    ],
)
def test_a_login_that_cannot_be_is_said(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence), page_process("http://127.0.0.1:1", tmp_path, *arguments):
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), ""),
        (("--host", EVERYWHERE), "Anybody who reaches this page at 0.0.0.0 may ask the service through it"),
        (("--host", EVERYWHERE, "--login-header", HEADER), "past the proxy can name anybody in X-Forwarded-User"),
    ],
)  # fmt: skip
def test_a_page_that_others_reach_says_who_may_enter(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with page_process("http://127.0.0.1:1", tmp_path, *arguments):
        pass
    [log] = tmp_path.glob("page-*.log")
    assert sentence in log.read_text()
    assert bool(sentence) == ("reaches" in log.read_text())


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_visitor_logs_in_and_out(new_browser_visitor: Callable[..., Visitor], guarded: str, scheme: str) -> None:
    visitor = new_browser_visitor(f"{guarded}/", color_scheme=scheme)
    page = visitor.page
    page.goto(f"{guarded}/?model=flights")
    page.evaluate(AXE.read_text())
    assert serious(visitor) == set()
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill("another password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no such name with this password")
    page.evaluate(AXE.read_text())
    assert serious(visitor) == set()
    [refused] = visitor.wrong  # which browsers call an error
    assert "403" in refused
    visitor.wrong.clear()
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(visitor.predict_button).to_be_enabled()
    expect(visitor.predict()).to_be_visible()
    page.evaluate(AXE.read_text())
    visitor.settle()
    assert serious(visitor) == set()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    assert not page.context.cookies()


@pytest.fixture
def new_browser_visitor(browser: Any) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors as `new_visitor` does, without the service of three models."""
    with visitors(browser) as make:
        yield make


@pytest.mark.browser
def test_a_visitor_of_a_page_whose_key_is_refused_reads_why(
    trained: Project,
    bento: str,
    new_browser_visitor: Callable[..., Visitor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = tmp_path / "keys.json"
    given = {
        "stranger": ("bxw_page_" + 43 * "x", "does not let this page in", "a key in API_KEY"),
        "predicting": (
            made.new(keys, "predicting", "--verbs", "predict"),
            "may not ask the service for that",
            "--verbs",
        ),
        "slow": (made.new(keys, "slow", "--rows-per-day", "1"), "as many rows as it may", "--rows-per-day"),
    }
    with trained.serve(bento, tmp_path, BOXWOOD_API_KEYS=str(keys)) as client:
        for named, (key, to_visitors, to_the_owner) in given.items():
            monkeypatch.setenv("API_KEY", key)
            folder = tmp_path / named
            folder.mkdir()
            with page_process(str(client.base_url).rstrip("/"), folder) as url:
                visitor = new_browser_visitor(f"{url}/")
                visitor.page.goto(f"{url}/")
                if named != "stranger":
                    expect(visitor.predict()).to_be_visible()
                    visitor.tab("Why")
                expect(visitor.page.get_by_role("alert").filter(visible=True)).to_contain_text(to_visitors)
                assert key not in visitor.page.content()
                visitor.page.context.close()
            [log] = folder.glob("page-*.log")
            assert to_the_owner in log.read_text()
            assert key not in log.read_text()

"""What one visitor does is nobody else's; and what is not the page's is not given away."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.project import ROOT
from tests.ui.test_ask import OTHER
from tests.ui.test_many import upload
from tests.ui.visitor import Api, Visitor

pytestmark = pytest.mark.browser


def test_two_at_once_do_not_see_each_other(new_visitor: Callable[..., Visitor], api: Api, tmp_path: Path) -> None:
    one, two = new_visitor().open("flights"), new_visitor().open("flights")
    one.fill(OTHER["flights"])
    one.tab("Compare")
    one.page.get_by_role("button", name="Keep the form's row").click()
    expect(one.shown.locator(".pairs")).to_contain_text(OTHER["flights"]["agency"])
    one.tab("Many")
    upload(one, "secret.csv", pd.DataFrame([api.example("flights")]).to_csv(index=False).encode())
    one.page.get_by_role("button", name="Predict all rows").click()
    expect(one.page.get_by_text("Download the answers")).to_be_visible()

    expect(two.field("agency").locator("select")).to_have_value(api.example("flights")["agency"])
    two.tab("Compare")
    expect(two.shown.locator(".pairs")).to_be_visible()
    expect(two.shown.locator(".pairs")).not_to_contain_text(OTHER["flights"]["agency"])
    two.tab("Many")
    expect(two.page.get_by_text("secret.csv")).to_have_count(0)
    expect(two.page.get_by_text("Download the answers")).to_be_hidden()


def test_files_of_others_and_of_the_machine_are_not_given_away(
    new_visitor: Callable[..., Visitor], api: Api, page_url: str, tmp_path: Path
) -> None:
    one = new_visitor().open("flights")
    one.tab("Many")
    upload(one, "secret.csv", pd.DataFrame([api.example("flights")]).to_csv(index=False).encode())
    one.page.get_by_role("button", name="Predict all rows").click()
    with one.page.expect_download() as begun:
        one.page.get_by_text("Download the answers").click()
    ask = new_visitor().page.request
    link = urlsplit(begun.value.url).path
    own = Path(link.partition("file=")[2])
    folders = [own.parent, *own.parent.parents]
    refused = [
        *folders,
        ROOT / "pyproject.toml",
        "pyproject.toml",
        "/etc/passwd",
        "../../etc/passwd",
        "/proc/self/environ",
    ]
    base = page_url.rstrip("/")
    for path in refused:
        for link in (f"/gradio_api/file={path}", f"/gradio_api/file={quote(str(path), safe='')}", f"/file={path}"):
            answer = ask.get(f"{base}{link}")
            assert answer.status in (400, 403, 404, 405), link
            assert "secret" not in answer.text()
    assert ask.get(f"{base}/gradio_api/proxy=http://127.0.0.1/").status in (400, 403, 404)
    for listed in ("/", "/config", "/gradio_api/info", "/gradio_api/app_id"):
        answer = ask.get(f"{base}{listed}")
        assert str(own.parent.name) not in answer.text()
        assert "secret" not in answer.text()

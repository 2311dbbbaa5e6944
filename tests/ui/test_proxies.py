"""Behind a real nginx that shows the page below a path: all works, and nothing is asked for outside of it."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.project import free_port
from tests.ui.pages import page_process, proxy
from tests.ui.test_ask import agrees
from tests.ui.test_many import answered
from tests.ui.visitor import Api, Visitor
from tests.ui.wire import Wire

pytestmark = pytest.mark.browser
PREFIX = "/demo/page"


@pytest.mark.parametrize("told", ["by the proxy", "by --root-path"])
def test_the_page_works_below_a_path(
    new_visitor: Callable[..., Visitor], wire: Wire, api: Api, tmp_path: Path, told: str
) -> None:
    by_proxy = told == "by the proxy"
    arguments = () if by_proxy else ("--root-path", PREFIX)
    with (
        wire.listening(free_port()) as service,
        page_process(service, tmp_path, *arguments) as page,
        proxy(page, PREFIX, tmp_path, says_so=by_proxy) as url,
    ):
        visitor = new_visitor(url).open("flights")
        [said] = api.predict("flights", api.example("flights"))
        agrees(visitor.predict(), said, api.model("flights")["version"])
        for name, shown in (("Why", ".why"), ("What if", ".what-if"), ("Compare", ".compare"), ("Model", ".model")):
            expect(visitor.tab(name).locator(shown)).to_be_visible()
        visitor.tab("Many")
        table = pd.DataFrame([api.example("flights")] * 3)
        came = answered(visitor, "three.parquet", table.to_parquet(), tmp_path)
        assert list(came["prediction"]) == [said["prediction"]] * 3
        visitor.leave()

"""The documentation's site in Chromium, opened from the file system: it is searched, and asks nobody for anything."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from docs import make_site
from tests.browser import started

pytestmark = pytest.mark.skipif(started.CHROMIUM is None, reason=started.NO_CHROMIUM)


def test_it_is_searched_without_a_server(tmp_path: Path) -> None:
    make_site.make(tmp_path)
    asked: list[str] = []
    with started.browser_page("", "") as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "docs" / "desk.html").as_uri())
        page.locator("[data-md-component=search-query]").press_sequentially("valid_days")
        expect(page.locator(".md-search-result__item").first).to_contain_text("For reviewers")
    assert [url for url in asked if not url.startswith("file:")] == []

"""Papers about a version in a browser that has no network: read by a screen reader, on a telephone, in the dark."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from models.disclosure import draw_up, write
from tests.browser import started
from tests.support.disclosed import disclosed

pytestmark = pytest.mark.skipif(started.CHROMIUM is None, reason=started.NO_CHROMIUM)


def test_a_screen_reader_and_a_telephone_get_all_of_it_in_every_language(tmp_path: Path) -> None:
    material = disclosed(tmp_path).material()
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=started.CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(offline=True, viewport={"width": 390, "height": 844}).new_page()
        page.on("request", lambda request: asked.append(request.url))
        for form, language in (("annex-iv", "en"), ("study", "fr"), ("atrs", "zh")):
            written = write(draw_up(material, form, language), material, tmp_path / "papers")
            page.goto(written.html.as_uri())
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                found = Axe().run(page)
                assert not found.violations_count, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            page.emulate_media(media="print", color_scheme="dark")
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            page.emulate_media(media="screen")
        browser.close()
    assert [url for url in asked if not url.startswith("file:")] == []

"""The drift page in a browser that has no network."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from models.monitoring.drift_result import Quality
from tests.integration.models.monitoring.test_drift import check, window

CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_page_shows_verdict_and_report_and_asks_for_nothing(tmp_path: Path) -> None:
    page_file = tmp_path / "drift.html"
    quality = Quality(rows=5000, hits=500, precision_at_10pct=0.5, roc_auc=0.8, brier=0.1)
    result = check(window(2000, 1), window(800, 2), page_file, quality)
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(offline=True, viewport={"width": 390, "height": 844}).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_file.as_uri())
        expect(page.get_by_text(result.verdict)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_text("Evidently's report").click()
        theirs = page.frame_locator("iframe").get_by_text("Dataset Drift", exact=False).first
        expect(theirs).to_be_visible(timeout=60_000)
        page.wait_for_load_state("networkidle")
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []

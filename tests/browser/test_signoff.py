"""The reviewer's screen, in Chromium, on a real server behind the guard: found, read and signed."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from models.ledger.book import SERVICE
from tests.browser import started
from tests.support import newcomer, signoff_server
from tests.support.signoff_server import Server

pytestmark = [
    pytest.mark.skipif(started.CHROMIUM is None, reason=started.NO_CHROMIUM),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("state")
    signoff_server.register(folder, "abc")
    signoff_server.register(folder, "def")
    signoff_server.register(folder, "ghi")
    with signoff_server.server(folder) as running:
        signoff_server.add_people(running)
        for version in ("1", "2", "3"):
            running.inspect(version)
        yield running


def found_by_axe(page: Page) -> str:
    results = Axe().run(page)
    return results.generate_report() if results.violations_count else ""


def test_a_version_is_read_and_signed_in_two_clicks(server: Server) -> None:
    server.sign("ana", "technical", "approved: sound").raise_for_status()
    with started.watched_page(server, "rea") as page:
        page.goto(server.url)
        expect(page.get_by_role("heading", name="Waiting for you")).to_be_visible()
        assert page.url == f"{server.url}/signoff"
        page.get_by_role("link", name="version 1", exact=True).click()
        page.get_by_label("Reason").fill("no slice is worse")
        page.get_by_role("button", name="Sign", exact=True).click()
        expect(page.get_by_text("rea, 20").first).to_contain_text("no slice is worse")
        expect(page.get_by_role("status")).to_contain_text("governance: 1 more (reviewer)")
        server.sign("rob", "governance", "approved: agreed in the board").raise_for_status()
        expect(page.get_by_role("status")).to_contain_text("approved")  # without loading the page anew
    assert server.tags("1")["signoff.governance"].startswith("2 of 2: approved by rea, rob.")
    server.set_alias(SERVICE, "champion").raise_for_status()  # until then, nobody signs another


def test_a_refusal_is_told_where_it_was_tried_and_nothing_typed_is_lost(server: Server) -> None:
    with started.browser_page("ria", signoff_server.password("ria")) as page:
        page.goto(f"{server.url}/signoff/versions/2")
        expect(page.get_by_text("technical is signed by the role risk-analyst; ria has reviewer")).to_be_visible()
    with started.browser_page("ari", signoff_server.password("ari")) as page:
        page.goto(f"{server.url}/signoff/versions/2")
        page.get_by_label("Reason").fill("worse on new importers")
        server.sign("ana", "technical", "rejected: too late for this one", "2").raise_for_status()
        page.get_by_role("button", name="Refuse").click()
        expect(page.get_by_role("alert")).to_contain_text("version 2 is rejected: nothing more can be signed")
        expect(page.get_by_text("reject technical: worse on new importers")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "fr", "zh"])
@pytest.mark.parametrize("path", ["/signoff", "/signoff/versions/1", "/account"])
def test_a_screen_reader_and_a_telephone_get_all_of_it(server: Server, path: str, language: str) -> None:
    with started.watched_page(server, "rea") as page:
        page.goto(f"{server.url}{path}?language={language}")
        for summary in page.locator("summary").all():
            summary.click()
        assert found_by_axe(page) == ""
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.emulate_media(color_scheme="dark")
        assert found_by_axe(page) == ""


def test_reports_open_in_place_and_pictures_are_there(server: Server) -> None:
    with started.watched_page(server, "rea") as page:
        page.goto(f"{server.url}/signoff/versions/1")
        picture = page.get_by_alt_text(re.compile("^Gain"))
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", value=True)
        assert picture.evaluate("shown => shown.naturalWidth") > 0
        page.get_by_text("Drift report").click()
        expect(page.frame_locator("iframe[title='Drift report']").get_by_text("drift")).to_be_visible()


def test_a_newcomer_finds_what_waits_reads_its_card_and_signs(server: Server) -> None:
    """The way that the welcome of the demo tells."""
    newcomer.sign(server.url, "ari", signoff_server.password("ari"), "it finds more than the profile")
    assert server.tags("3")["signoff.technical"].startswith("approved by ari.")

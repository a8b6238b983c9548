"""The desk and the page of criteria, in Chromium, on a real server: by keyboard, on a phone, without a network."""

import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from models.decisions.log import DecisionLog
from models.desk import Desk, Officer
from models.policy import Desk as Rules
from tests.browser import started
from tests.support import signoff_server
from tests.support.offline import assert_stored_once, declare, file_without_network, number_of, take
from tests.support.signoff_server import ADMINISTRATOR, Server

pytestmark = [
    pytest.mark.skipif(started.CHROMIUM is None, reason=started.NO_CHROMIUM),
    pytest.mark.timeout(300),
]
OFFICES = {"ola": ["010"], "oli": ["010"], "sue": ["010", "020"]}
LARGEST_PAGE = 150_000  # bytes, compressed
MOST_KEYS = 12
SUPERVISOR = Officer("sue", ("010", "020"), is_supervisor=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("state")
    with signoff_server.server(folder) as running:
        signoff_server.add_people(running)
        for name, offices in OFFICES.items():
            given = {"username": name, "offices": offices}
            running.call(ADMINISTRATOR, "POST", "/api/2.0/tidewaiter/offices/accounts", **given).raise_for_status()
        yield running


@pytest.fixture(scope="module")
def log(server: Server) -> DecisionLog:
    return DecisionLog(f"sqlite:///{server.folder}/decisions.db")


@pytest.fixture(scope="module")
def desk(server: Server) -> Desk:
    """The desk's database, to look into."""
    uri = f"sqlite:///{server.folder}/decisions.db"
    return Desk(uri, Rules(), bytes(32), server.folder / "photos", lambda: datetime.now(UTC))


def press(page: Page, *keys: str) -> int:
    for key in keys:
        page.keyboard.press(key)
    return len(keys)


def test_a_finding_takes_few_keys(server: Server, log: DecisionLog, desk: Desk) -> None:
    declare(log, "red")
    with started.watched_page(server, "ola") as page:
        page.goto(server.url)
        expect(page).to_have_url(f"{server.url}/desk")
        keys = press(page, "Enter")  # takes the next case
        page.wait_for_url("**/desk/cases/*")
        number = number_of(page)
        impression = page.get_by_role("button", name="Nothing suspicious")
        if impression.count():  # of a few cases, drawn by lot, the score is shown after the finding alone
            expect(impression).to_be_focused()
            expect(page.get_by_text("It is shown after your first impression.")).to_be_visible()
            keys += press(page, "Tab", "Enter")  # suspicious
        expect(page.locator("[value=nothing]")).to_be_focused()
        keys += press(page, "ArrowRight", "Tab", "Tab", "4", "0", "0", "Enter")  # undervaluation, of 400
        expect(page).to_have_url(f"{server.url}/desk")
    assert keys <= MOST_KEYS
    opened = desk.looking.open(SUPERVISOR, number)
    (found,) = opened.findings
    assert (found.finding.kind, found.finding.value, opened.case.ending) == ("undervaluation", 400.0, "released")


@pytest.mark.parametrize(
    ("sends", "then"),
    [
        ("self.outbox.flush()", re.compile(r"/desk/cases/\d+$")),
        ("dispatchEvent(new Event('online'))", re.compile("/desk$")),
    ],
    ids=["somebody else", "the page itself"],
)
def test_a_finding_that_was_sent_meanwhile_is_not_said_to_wait(
    server: Server, log: DecisionLog, desk: Desk, sends: str, then: re.Pattern[str]
) -> None:
    declare(log, "red")
    with started.watched_page(server, "ola") as page:
        number = take(server, page)
        impression = page.get_by_role("button", name="Nothing suspicious")
        if impression.count():
            impression.click()
        expect(page.locator("[value=nothing]")).to_be_focused()
        page.wait_for_load_state("domcontentloaded")  # the page's own scripts have run
        page.evaluate(f"""() => {{
            navigator.locks.request("tidewaiter-desk", () => new Promise((free) => {{ self.free = free; }}));
            {sends};
        }}""")
        press(page, "ArrowRight", "Tab", "Tab", "4", "0", "0", "Enter")  # undervaluation, of 400
        while not page.evaluate("async () => (await self.outbox.all()).length"):
            pass
        page.evaluate("self.free()")
        expect(page.get_by_text("ola: released").first.or_(page.get_by_role("heading", name="queue"))).to_be_visible()
        expect(page).to_have_url(then)
        expect(page.get_by_text("is kept on this device")).to_have_count(0)
    assert desk.looking.open(SUPERVISOR, number).case.ending == "released"


@pytest.mark.parametrize("language", ["en", "fr", "zh"])
def test_a_screen_reader_and_a_telephone_get_all_of_it(server: Server, log: DecisionLog, language: str) -> None:
    declare(log, "yellow", "blue")
    with started.watched_page(server, "oli") as page:
        page.goto(f"{server.url}/desk?language={language}")
        pages = {"queue": page.url}
        page.locator("form.inline button.main").click()
        page.wait_for_url("**/desk/cases/*")
        pages["case"] = page.url
        for address in pages.values():
            page.goto(address)
            for summary in page.locator("summary").all():
                summary.click()
            if page.locator("[name=what]").count():
                page.locator("[value=origin]").check()
            page.set_viewport_size({"width": 1280, "height": 800})
            results = Axe().run(page)
            assert results.violations_count == 0, results.generate_report()
            page.set_viewport_size({"width": 390, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for button in page.locator("#finding button").all():
            box = button.bounding_box()
            assert box
            assert box["height"] >= 40


@pytest.mark.parametrize("language", ["en", "fr", "zh"])
def test_a_supervisors_page_too(server: Server, log: DecisionLog, language: str) -> None:
    declare(log, "red")
    with started.watched_page(server, "sue") as page:
        page.goto(f"{server.url}/desk")
        case = page.locator("a[href^='/desk/cases/']").first.get_attribute("href")
        page.get_by_role("link", name="Supervision").click()
        for address in (
            page.url,
            f"{server.url}{case}",
        ):  # whose panels tell a supervisor what answers for the decision
            page.set_viewport_size({"width": 1280, "height": 800})
            page.goto(f"{address}?language={language}")
            for summary in page.locator("summary").all():
                summary.click()
            results = Axe().run(page)
            assert results.violations_count == 0, results.generate_report()
            page.set_viewport_size({"width": 390, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        expect(page.get_by_text("tidewaiter trace")).to_be_visible()  # on the case: what answers for the decision


@pytest.mark.parametrize("language", ["en", "fr", "zh"])
def test_an_analyst_writes_a_criterion_that_everybody_can_read(server: Server, language: str) -> None:
    name = f"shoes-{language}"
    with started.watched_page(server, "pia") as page:
        page.goto(f"{server.url}/criteria?language={language}")
        page.locator("#name").fill(name)
        page.locator("[name=column_1]").select_option("importer_id")
        page.locator("[name=values_1]").fill("I-42; I-43")
        page.locator("#why").fill("caught twice at berth 4")
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        page.locator("button[value=preview]").click()
        expect(page.get_by_role("alert")).to_contain_text("holds no declarations")
        expect(page.locator("[name=values_1]")).to_have_value("I-42; I-43")
        page.locator("button[value=propose]").click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_page_is_small(server: Server, log: DecisionLog) -> None:
    declare(log, "red")
    with started.watched_page(server, "ola") as page:
        loaded: list[int] = []
        page.on("response", lambda answer: loaded.append(len(gzip.compress(answer.body()))) if answer.ok else None)
        page.goto(f"{server.url}/desk")
        page.wait_for_load_state("networkidle")
        page.locator("form.inline button.main").click()
        page.wait_for_url("**/desk/cases/*")
        page.wait_for_load_state("networkidle")
    assert 10_000 < sum(loaded) < LARGEST_PAGE


def test_findings_and_photos_are_kept_without_a_network_and_arrive_once(
    server: Server, log: DecisionLog, desk: Desk
) -> None:
    """Half of the answers are lost, and the pages are closed in between; `make trial offline` has a hundred."""
    declare(log, *["red"] * 4)
    assert_stored_once(desk, SUPERVISOR, file_without_network(server, "ola", 4))


def test_what_somebody_else_has_closed_meanwhile_is_shown_and_not_overwritten(
    server: Server, log: DecisionLog, desk: Desk
) -> None:
    declare(log, "red")
    with started.watched_page(server, "ola") as page:
        number = take(server, page)
        desk.queue.hand_over(SUPERVISOR, number, Officer("oli", ("010",)))
        page.locator("[value=other]").check()
        page.get_by_role("button", name="File it and release").click()
        expect(page.get_by_text("A finding of ola came too late (oli has the case in hand)")).to_be_visible()
    assert not desk.looking.open(SUPERVISOR, number).case.is_closed

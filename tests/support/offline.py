"""Findings that an officer files in a browser without a network, and what becomes of them when it is back."""

import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from PIL import Image
from playwright.sync_api import Page, Route, expect

from models.decisions.log import DecisionLog
from models.decisions.record import Reason
from models.desk import Desk, Officer
from tests.browser import started
from tests.support import desks
from tests.support.signoff_server import Server

_MOST_OPENINGS = 20  # for each finding


@dataclass(frozen=True)
class Sent:
    """Tells the cases of findings filed without a network, and how often the desk was opened until all were sent."""

    cases: tuple[int, ...]
    openings: int


def declare(log: DecisionLog, *lanes: str) -> None:
    """Have the window put declarations of office 010 into lanes, an hour ago."""
    number = log.head().number
    since = datetime.now(UTC) - timedelta(hours=1)
    made = []
    for place, lane in enumerate(lanes, number + 1):
        decision = desks.placed(place, lane, received_at=since + timedelta(seconds=place))
        reason = Reason("importer", 1.2, "up", "The importer's hit rate is well above the usual.")
        items = tuple(msgspec.structs.replace(item, score=0.42, reasons=(reason,)) for item in decision.items)
        declared = tuple(
            {**row, "hs_code": "640399", "importer_id": "I-42", "item_value": 1250.5, "currency": "USD"}
            for row in decision.declared
        )
        made.append(msgspec.structs.replace(decision, items=items, declared=declared))
    desks.World(None, log, None).decide(*made)  # type: ignore[arg-type]


def take(server: Server, page: Page) -> int:
    """Take the next case at the desk, and return its number."""
    page.goto(f"{server.url}/desk")
    page.get_by_role("button", name="Take the next case").click()
    page.wait_for_url("**/desk/cases/*")
    return number_of(page)


def number_of(page: Page) -> int:
    """Return the number of the case that a page shows."""
    found = re.search(r"/desk/cases/(\d+)", page.url)
    assert found
    return int(found[1])


def file_without_network(server: Server, who: str, count: int) -> Sent:
    """Have an officer file so many findings, each with a photo, without a network, and close the page.

    They are sent when the desk is opened again, and half of the answers are lost, until none waits in the browser;
    AssertionError if some still do after many openings.
    """
    with started.watched_page(server, who) as page:
        numbers = [_take_for_later(server, page) for _ in range(count)]
        page.context.set_offline(True)
        for place, number in enumerate(numbers):
            _file(server, page, number, place)
        lost: list[str] = []

        def answer(route: Route) -> None:
            fetched = route.fetch()
            if len(lost) < count and fetched.ok:  # of two for each finding: its own, and that of its photo
                lost.append(route.request.url)
                route.abort()
            else:
                route.fulfill(response=fetched)

        context = page.context
        page.close()  # before anything is sent, as a page that closes ends what it sends
        context.set_offline(False)
        context.route(re.compile(r"/desk/cases/\d+/(finding|photos)"), answer)
        openings, waiting = 0, count
        while waiting:  # each opening sends what waits, until an answer is lost
            openings += 1
            assert openings < _MOST_OPENINGS * count
            page = context.new_page()
            page.goto(f"{server.url}/desk")
            page.wait_for_load_state("networkidle")
            waiting = page.evaluate("self.outbox.all().then((findings) => findings.length)")
            page.close()
        assert len(lost) == count
        return Sent(tuple(numbers), openings)


def assert_stored_once(desk: Desk, supervisor: Officer, sent: Sent) -> None:
    """Assert that each case was released with one finding, its own, that has one photo."""
    for number in sent.cases:
        opened = desk.looking.open(supervisor, number)
        (found,) = opened.findings
        assert (found.finding.words, len(found.finding.photos)) == (f"seen at berth {number}", 1)
        assert opened.case.ending == "released"


def _take_for_later(server: Server, page: Page) -> int:
    number = take(server, page)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()  # the worker keeps what it has seen
    return number


def _file(server: Server, page: Page, number: int, place: int) -> None:
    page.goto(f"{server.url}/desk/cases/{number}")
    page.locator("[value=nothing]").check()
    page.get_by_label("In words").fill(f"seen at berth {number}")
    picture = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": _photo(place)}
    page.get_by_label("Photos").set_input_files(picture)  # type: ignore[arg-type]
    page.get_by_role("button", name="File it and release").click()
    expect(page.get_by_text(f"The finding on case {number} is kept on this device")).to_be_visible()


def _photo(place: int) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 48), (40 * place % 256, 80, 80)).save(made, "JPEG")
    return made.getvalue()

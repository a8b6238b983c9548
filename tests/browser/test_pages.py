"""What people find and do in the browser while `tidewaiter up` runs: the card, the form of a run, and sign-off.

All of it is in one file, because a start takes a minute of the processors' time.
"""

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest
from playwright.sync_api import Page, expect

from flows.parameters import RetrainParameters, Search, SourceName
from flows.run_requests.forms import AUTHOR
from flows.settings import PREFIX
from models.access.accounts import ADMINISTRATOR_ACCOUNT, METRICS
from models.access.tokens import Tokens
from models.names import CHAMPION
from tests.browser import started
from tests.browser.started import Servers
from tests.support import candidates
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.skipif(started.CHROMIUM is None, reason=started.NO_CHROMIUM),
    pytest.mark.timeout(600),
]

# dan, who made the versions (candidates.py), may sign for others what he may not sign for himself.
PEOPLE = {
    "dan": ("data-scientist", "risk-analyst"),
    "ana": ("risk-analyst",),
    "rea": ("reviewer",),
    "rob": ("reviewer",),
}
TO_PROMOTE, TO_REJECT, TO_READ = "1", "2", "3"
MOVES_WITHIN_S = 120.0  # 5 s on a quiet machine
SHOWS_WITHIN_MS = 60_000  # the page looks again every 10 s

_log = logging.getLogger(__name__)

SignedIn = Callable[[str, str], AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A running `up` with versions that wait."""
    folder = tmp_path_factory.mktemp("project")
    registry = candidates.open_registry(started.state_folder(folder))
    for version in (TO_PROMOTE, TO_REJECT, TO_READ):
        evidence = candidates.evidence_folder(tmp_path_factory.mktemp("evidence"))
        candidate = candidates.candidate(evidence, f"data-{version}")
        candidates.keep_version(folder / "data", candidate.manifest.data_version)
        assert registry.register(candidate).version == version
    with started.up(folder, metrics_port=str(free_port())) as running:
        yield running


@pytest.fixture(scope="module")
def passwords(servers: Servers) -> Mapping[str, str]:
    made = {name: started.add_person(servers, name, *roles) for name, roles in PEOPLE.items()}
    return {**made, ADMINISTRATOR_ACCOUNT: servers.administrator_password}


@pytest.fixture
def page(passwords: Mapping[str, str]) -> Iterator[Page]:
    """A browser of rea, a reviewer."""
    with started.browser_page("rea", passwords["rea"]) as shown:
        yield shown


@pytest.fixture
def signed_in(servers: Servers, passwords: Mapping[str, str]) -> SignedIn:
    """A browser of one of the people, on the page of a version."""

    @contextmanager
    def opened(name: str, version: str) -> Generator[Page]:
        with started.browser_page(name, passwords[name]) as page:
            started.open_version(page, servers, version)
            yield page

    return opened


def test_a_reviewer_finds_the_card_and_the_pending_steps(servers: Servers, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    started.open_version(page, servers, TO_READ)
    expect(page.get_by_role("heading", name="customs-risk: which import declarations to inspect")).to_be_visible()
    expect(page.get_by_text("challenger")).to_be_visible()
    for step in candidates.STEPS:
        row = page.get_by_role("row").filter(has_text=f"signoff.{step}")
        expect(row).to_contain_text("pending")
    assert [url for url in asked if not url.startswith((servers.mlflow_url, "data:", "blob:"))] == []


def test_on_a_telephone_a_version_can_be_read_and_signed(servers: Servers, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    started.open_version(page, servers, TO_READ)
    expect(page.locator("aside")).to_have_css("width", "40px")  # MLflow's menu, folded
    for name in ("Registered At", "Aliases"):
        expect(page.get_by_text(name, exact=True)).to_be_in_viewport(ratio=1)
    title = page.get_by_role("heading", name="customs-risk: which import declarations to inspect")
    box, lines = title.bounding_box(), title.evaluate("e => parseFloat(getComputedStyle(e).lineHeight)")
    size = title.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert box is not None
    assert box["x"] + box["width"] <= 390
    assert lines > size
    pencil = started.step_row(page, "technical").get_by_role("button").first
    pencil.scroll_into_view_if_needed()
    expect(pencil).to_be_in_viewport(ratio=1)


def test_the_card_leads_to_the_reports(servers: Servers, page: Page) -> None:
    started.open_version(page, servers, TO_READ)
    with page.expect_popup() as report:
        page.get_by_role("link", name="drift report").click()
    expect(report.value.frame_locator("iframe").get_by_text("drift")).to_be_visible(timeout=SHOWS_WITHIN_MS)
    with page.expect_popup() as folder:
        page.get_by_role("link", name="whole card").click()
    expect(folder.value.get_by_text("card.md").first).to_be_visible(timeout=SHOWS_WITHIN_MS)


@pytest.fixture
def form(servers: Servers, passwords: Mapping[str, str]) -> Iterator[Page]:
    """The form of a run, before a data scientist; what the page asks other servers for is none."""
    with started.browser_page("dan", passwords["dan"]) as page:
        asked: list[str] = []
        page.on("response", lambda answer: asked.append(answer.url))
        started.open_run_form(page, servers)
        yield page
        assert [url for url in asked if not url.startswith((servers.prefect_url, "data:", "blob:"))] == []


def test_a_data_scientist_finds_a_form_with_typed_fields(form: Page) -> None:
    page = form
    for name, field in RetrainParameters.model_fields.items():
        is_asked = name != AUTHOR  # who is signed in
        title = page.get_by_text(f"{name.replace('_', ' ').title()} (Optional)", exact=True)
        expect(title).to_be_visible(visible=is_asked)
        if is_asked:
            expect(page.get_by_text(field.description or "", exact=True)).to_be_visible()
    world = page.get_by_role("button", name="int", exact=True)  # none is chosen: the one that is stored
    expect(world).to_have_count(3)
    expect(page.locator("input[type=number]")).to_have_count(0)
    chosen = page.locator(".p-select-button__control")
    expect(chosen).to_have_text([SourceName.SIMULATOR, Search.USUAL])
    chosen.first.press("ArrowDown")  # opens the list
    expect(page.locator(".p-select-option__text")).to_have_text([str(source) for source in SourceName])


def test_a_form_with_an_impossible_value_is_not_submitted(form: Page) -> None:
    page = form
    page.get_by_role("button", name="int", exact=True).first.click()
    page.locator("input[type=number]").first.fill("10")
    with page.expect_response("**/create_flow_run") as answer:
        page.get_by_role("button", name="Submit").click()
    assert answer.value.status == 422
    expect(
        page.get_by_text("rows: 10 is not allowed: Input should be greater than or equal to 1000").first
    ).to_be_visible()


def test_what_all_have_signed_is_champion_soon(
    servers: Servers, signed_in: SignedIn, passwords: Mapping[str, str]
) -> None:
    with signed_in("dan", TO_PROMOTE) as page:
        started.sign(page, "technical", "approved: it is mine, and good")
        expect(page.get_by_text("Failed to set tag. Error: dan made version 1, and so may not sign it")).to_be_visible()
        keeps(page, "technical", "approved: it is mine, and good")
        expect(started.step_row(page, "technical")).to_contain_text("pending")
    with signed_in("ana", TO_PROMOTE) as page:
        started.sign(page, "technical", "aproved: finds more at the same effort")
        refusal = page.get_by_text("'aproved: finds more at the same effort' is not a decision")
        expect(refusal).to_be_visible()
        page.get_by_label("Close notification").click()
        expect(refusal).to_be_hidden()
        page.get_by_role("button", name="Save").click()  # what is shown there is what is sent
        expect(refusal).to_be_visible()
        written = started.step_row(page, "technical").get_by_role("textbox")
        expect(written).to_have_value("aproved: finds more at the same effort")
        written.fill("approved: finds more at the same effort")
        page.get_by_role("button", name="Save").click()
        shows(page, "technical", "approved by ana. ana: finds more at the same effort")
    with signed_in("rea", TO_PROMOTE) as page:
        started.sign(page, "governance", "approved: no slice is worse")
        shows(page, "governance", "1 of 2: approved by rea; one more reviewer needed. rea: no slice is worse")
    assert champion(servers, "rob", passwords["rob"]) is None
    with signed_in("rob", TO_PROMOTE) as page:
        started.sign(page, "governance", "approved: agreed in the board")
        began = time.monotonic()
        while champion(servers, "rob", passwords["rob"]) != TO_PROMOTE:
            assert time.monotonic() < began + MOVES_WITHIN_S, "champion has not moved"
            time.sleep(0.2)
        _log.info("champion moved %.1f s after the last signature", time.monotonic() - began)
        shows(page, "governance", "2 of 2: approved by rea, rob.")
        page.reload()  # aliases are not among what the page looks at again
        expect(page.get_by_text(f"@ {CHAMPION}", exact=True)).to_be_visible()


def test_an_administrator_signs_nothing(signed_in: SignedIn) -> None:
    with signed_in(ADMINISTRATOR_ACCOUNT, TO_REJECT) as page:
        started.sign(page, "technical", "approved: I may do everything")
        refusal = "Failed to set tag. Error: admin administers or serves, and so signs nothing"
        expect(page.get_by_text(refusal)).to_be_visible()
        keeps(page, "technical", "approved: I may do everything")
        expect(started.step_row(page, "technical")).to_contain_text("pending")


def test_a_rejection_ends_a_version(signed_in: SignedIn) -> None:
    with signed_in("ana", TO_REJECT) as page:
        started.sign(page, "technical", "rejected: worse on new importers")
        shows(page, "technical", "rejected by ana: worse on new importers")
        started.sign(page, "technical", "approved: on second thoughts")
        refusal = "Failed to set tag. Error: version 2 is rejected: nothing more can be signed"
        expect(page.get_by_text(refusal)).to_be_visible()
        keeps(page, "technical", "approved: on second thoughts")
        shows(page, "technical", "rejected by ana: worse on new importers")


def test_a_reviewer_begins_at_what_waits_and_sees_pictures_and_all_tags(servers: Servers, page: Page) -> None:
    """Somebody who was never here goes from the address of the server to the row that is edited."""
    page.goto(servers.mlflow_url)
    expect(page.get_by_text(f"Version {TO_PROMOTE} decides now.")).to_be_visible()
    page.get_by_role("link", name="MLflow", exact=True).click()
    expect(page.get_by_text(f"The {CHAMPION}, version {TO_PROMOTE}, decides")).to_be_visible()
    expect(page.get_by_text("Waiting for signatures")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("link", name=f"version {TO_READ}", exact=True).click()
    version = opened.value
    picture = version.locator("img[src*='plots/gain.png']")
    expect(picture).to_be_visible()
    assert picture.evaluate("shown => shown.naturalWidth") > 0
    tags = version.locator(".du-bois-light-table-body").last
    assert tags.evaluate("list => list.scrollHeight <= list.clientHeight + 1")
    for absent in ("Promote model", "GenAI", "Information about UI telemetry", "MLflow Assistant"):
        expect(version.get_by_text(absent)).to_be_hidden()


def keeps(page: Page, step: str, typed: str) -> None:
    """What was refused is still there to be mended; the row is left as it was."""
    expect(started.step_row(page, step).get_by_role("textbox")).to_have_value(typed)
    page.get_by_role("button", name="Cancel").click()


def shows(page: Page, step: str, tally: str) -> None:
    expect(started.step_row(page, step)).to_contain_text(tally, timeout=SHOWS_WITHIN_MS)


def champion(servers: Servers, name: str, password: str) -> str | None:
    """Which version MLflow has as the champion."""
    asked = {"name": "customs-risk"}
    url = f"{servers.mlflow_url}/api/2.0/mlflow/registered-models/get"
    answer = httpx.get(url, params=asked, auth=(name, password), timeout=60).raise_for_status().json()
    aliases = answer["registered_model"].get("aliases", [])
    return next((each["version"] for each in aliases if each["alias"] == CHAMPION), None)


def test_a_monitoring_system_is_told_which_version_decides(servers: Servers) -> None:
    """After all others, because figures are up to half a minute old."""
    settings = servers.environment
    tokens = Tokens(f"sqlite:///{settings[PREFIX + 'STATE_FOLDER']}/accounts.db")
    token = tokens.make("prometheus", METRICS, "admin")
    tokens.close()
    url, until = f"http://127.0.0.1:{settings[PREFIX + 'METRICS_PORT']}/metrics", time.monotonic() + MOVES_WITHIN_S
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
        while f"tidewaiter_champion_version {float(TO_PROMOTE)}" not in (told := client.get(url).text):
            assert time.monotonic() < until, told
            time.sleep(1)
    assert 'tidewaiter_check_ok{check="mlflow"} 1.0' in told
    assert 'tidewaiter_figures_readable{group="ledger"} 1.0' in told
    assert httpx.get(url, trust_env=False).status_code == 401

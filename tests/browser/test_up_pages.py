"""What people find in the browser while `tidewaiter up` runs: the card that waits for them, and the form of a run."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from flows.parameters import RetrainParameters, SourceName
from tests import candidates
from tests.browser import started
from tests.browser.started import Servers

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(started.CHROMIUM is None, reason=started.NO_CHROMIUM),
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A running `up` with one registered version."""
    folder = tmp_path_factory.mktemp("project")
    candidate = candidates.candidate(candidates.evidence_folder(tmp_path_factory.mktemp("evidence")))
    assert candidates.open_registry(started.state_folder(folder)).register(candidate).version == "1"
    with started.up(folder) as running:
        yield running


@pytest.fixture(scope="module")
def password(servers: Servers) -> str:
    """Of rea, a reviewer."""
    return started.add_person(servers, "rea", "reviewer")


@pytest.fixture
def page(password: str) -> Iterator[Page]:
    with started.browser_page("rea", password) as shown:
        yield shown


def test_a_reviewer_finds_the_card_and_the_pending_steps(servers: Servers, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    started.open_version(page, servers, "1")
    expect(page.get_by_role("heading", name="The card, in short")).to_be_visible()
    expect(page.get_by_text("challenger")).to_be_visible()
    for step in candidates.STEPS:
        row = page.get_by_role("row").filter(has_text=f"signoff.{step}")
        expect(row).to_contain_text("pending")
    assert [url for url in asked if not url.startswith((servers.mlflow_url, "data:", "blob:"))] == []


def test_the_card_leads_to_the_reports(servers: Servers, page: Page) -> None:
    started.open_version(page, servers, "1")
    with page.expect_popup() as report:
        page.get_by_role("link", name="drift report").click()
    expect(report.value.frame_locator("iframe").get_by_text("drift")).to_be_visible(timeout=30_000)
    with page.expect_popup() as folder:
        page.get_by_role("link", name="plots").click()
    expect(folder.value.get_by_text("gain.png").first).to_be_visible(timeout=30_000)


def test_a_data_scientist_finds_a_form_with_typed_fields(servers: Servers, page: Page) -> None:
    started.open_run_form(page, servers)
    for name, field in RetrainParameters.model_fields.items():
        expect(page.get_by_text(f"{name.replace('_', ' ').title()} (Optional)", exact=True)).to_be_visible()
        expect(page.get_by_text(field.description or "", exact=True)).to_be_visible()
    numbers = page.locator("input[type=number]")
    expect(numbers).to_have_count(3)
    assert [numbers.nth(i).input_value() for i in range(3)] == ["200000", "18", "20240229"]
    chosen = page.locator(".p-select-button__control")
    expect(chosen).to_have_text(SourceName.SIMULATOR)
    chosen.press("ArrowDown")  # opens the list
    expect(page.locator(".p-select-option__text")).to_have_text([str(source) for source in SourceName])


def test_a_form_with_an_impossible_value_is_not_submitted(servers: Servers, page: Page) -> None:
    started.open_run_form(page, servers)
    page.locator("input[type=number]").first.fill("10")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("10 is less than the minimum of 1000").first).to_be_visible()

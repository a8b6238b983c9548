"""Sign-off as people do it: three of them and an administrator, each in a browser, on MLflow's page of a version."""

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest
from playwright.sync_api import Page, expect

from models.names import CHAMPION
from models.signoff.accounts import ADMINISTRATOR_ACCOUNT
from tests import candidates
from tests.browser import started
from tests.browser.started import Servers

pytestmark = [
    pytest.mark.servers,
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
TO_PROMOTE, TO_REJECT = "1", "2"
MOVES_WITHIN_S = 120.0  # 10 s on a quiet machine
SHOWS_WITHIN_MS = 60_000  # the page looks again every 10 s

_log = logging.getLogger(__name__)

SignedIn = Callable[[str, str], AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A running `up` with two versions that wait."""
    folder = tmp_path_factory.mktemp("project")
    registry = candidates.open_registry(started.state_folder(folder))
    for version in (TO_PROMOTE, TO_REJECT):
        evidence = candidates.evidence_folder(tmp_path_factory.mktemp("evidence"))
        assert registry.register(candidates.candidate(evidence, f"data-{version}.dir")).version == version
    with started.up(folder) as running:
        yield running


@pytest.fixture(scope="module")
def passwords(servers: Servers) -> Mapping[str, str]:
    made = {name: started.add_person(servers, name, *roles) for name, roles in PEOPLE.items()}
    return {**made, ADMINISTRATOR_ACCOUNT: servers.administrator_password}


@pytest.fixture
def signed_in(servers: Servers, passwords: Mapping[str, str]) -> SignedIn:
    """A browser of one of the people, on the page of a version."""

    @contextmanager
    def opened(name: str, version: str) -> Generator[Page]:
        with started.browser_page(name, passwords[name]) as page:
            started.open_version(page, servers, version)
            yield page

    return opened


def test_what_all_have_signed_is_champion_soon(
    servers: Servers, signed_in: SignedIn, passwords: Mapping[str, str]
) -> None:
    with signed_in("dan", TO_PROMOTE) as page:
        started.sign(page, "technical", "approved: it is mine, and good")
        expect(page.get_by_text("Failed to set tag. Error: dan made version 1, and so may not sign it")).to_be_visible()
        expect(started.step_row(page, "technical")).to_contain_text("pending")
    with signed_in("ana", TO_PROMOTE) as page:
        started.sign(page, "technical", "approved: finds more at the same effort")
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
        expect(started.step_row(page, "technical")).to_contain_text("pending")


def test_a_rejection_ends_a_version(signed_in: SignedIn) -> None:
    with signed_in("ana", TO_REJECT) as page:
        started.sign(page, "technical", "rejected: worse on new importers")
        shows(page, "technical", "rejected by ana: worse on new importers")
        started.sign(page, "technical", "approved: on second thoughts")
        refusal = "Failed to set tag. Error: version 2 is rejected: nothing more can be signed"
        expect(page.get_by_text(refusal)).to_be_visible()
        shows(page, "technical", "rejected by ana: worse on new importers")


def shows(page: Page, step: str, tally: str) -> None:
    expect(started.step_row(page, step)).to_contain_text(tally, timeout=SHOWS_WITHIN_MS)


def champion(servers: Servers, name: str, password: str) -> str | None:
    """Which version MLflow has as the champion."""
    asked = {"name": "customs-risk"}
    url = f"{servers.mlflow_url}/api/2.0/mlflow/registered-models/get"
    answer = httpx.get(url, params=asked, auth=(name, password), timeout=60).raise_for_status().json()
    aliases = answer["registered_model"].get("aliases", [])
    return next((each["version"] for each in aliases if each["alias"] == CHAMPION), None)

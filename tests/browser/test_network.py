"""The page of the network of companies, as an officer uses it: in Chromium, on a real server behind the guard."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

import models.network_page
from features.presentation import spreadsheet
from tests.browser import started
from tests.support import networks, signoff_server
from tests.support.signoff_server import Server

pytestmark = [
    pytest.mark.skipif(started.CHROMIUM is None, reason=started.NO_CHROMIUM),
    pytest.mark.timeout(300),
]
STATIC = Path(models.network_page.__file__).parent / "static"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("state")
    networks.network(folder)
    with signoff_server.server(folder) as running:
        signoff_server.add_people(running)
        yield running


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    """A browser of rea, a reviewer; the test fails where the page raises an error of its own."""
    errors: list[str] = []
    with started.browser_page("rea", signoff_server.password("rea")) as shown:
        shown.on("pageerror", lambda error: errors.append(str(error)))
        shown.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
        yield shown
    assert errors == []


def open_company(page: Page, server: Server, identity: str, **more: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in {"source": "files", **more}.items())
    page.goto(f"{server.url}/network?{query}&company=importer:{identity}")
    shown(page)


def shown(page: Page) -> None:
    page.locator("#graph[data-painted]").wait_for(state="attached")
    expect(page.locator("#picture")).to_have_attribute("aria-busy", "false")


def listed(page: Page) -> str:
    """The rows of the list."""
    page.get_by_role("tab", name="List").click()
    return "\n".join(page.locator("#list tbody tr").all_inner_texts())


def test_a_company_is_found_by_name_with_the_keyboard_and_opened(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/network")
    box = page.get_by_role("combobox", name="Search for a company or value")
    box.fill("norvale")
    expect(page.locator("#found").get_by_role("option")).to_have_count(2)
    box.press("ArrowDown")
    box.press("Enter")
    shown(page)
    expect(page.locator("#company")).to_contain_text("Norvale Textiles Ltd")
    assert "company=importer%3AI-OLD" in page.url or "company=importer:I-OLD" in page.url


def test_the_way_to_an_offender_is_told_in_words(page: Page, server: Server) -> None:
    open_company(page, server, "I-BACK")
    expect(page.locator("#paths li").first).to_contain_text(
        "I-BACK is the successor of I-OLD (Norvale Textiles Ltd), caught on 2023-09-12."
    )
    open_company(page, server, "I-SHARE")
    expect(page.locator("#paths li").first).to_contain_text(f"shares the container {networks.CONTAINER} with I-OLD")


def test_colour_is_risk_size_is_value_and_lines_tell_their_source(page: Page, server: Server) -> None:
    open_company(page, server, "I-NEW")
    looks = page.evaluate("""() => Object.fromEntries(window.network.cy.nodes().map((node) => [
        node.data("fact").identity,
        {
            colour: node.style("background-color"),
            ring: node.numericStyle("border-width"),
            size: node.width(),
            shape: node.style("shape"),
        },
    ]))""")
    assert looks["I-OLD"]["colour"] != looks["I-NEW"]["colour"]  # caught, and never inspected
    assert looks["I-OLD"]["ring"] > looks["I-NEW"]["ring"]
    assert looks["I-OLD"]["size"] > looks["I-NEW"]["size"] > looks["I-BACK"]["size"]  # 132,000, 45,000 and 300 declared
    assert len({looks[each]["shape"] for each in ("I-OLD", "S-FAR", "D-BUSY", "Mara Quay")}) == 4
    lines = page.evaluate("""() => Object.fromEntries(window.network.cy.edges().map((edge) => [
        edge.data("fact").source, edge.style("line-style")
    ]))""")
    assert lines == {"declarations": "solid", "register": "dashed", "matching": "dotted"}


def test_without_any_hit_nobody_looks_worse_than_others_and_what_has_no_risk_looks_like_none(
    page: Page, server: Server
) -> None:
    open_company(page, server, "I-OLD", until="2023-07-03")
    colours = page.evaluate("""() => Object.fromEntries(window.network.cy.nodes().map((node) => [
        node.data("fact").identity, node.style("background-color")
    ]))""")
    declared, unknown = colours["I-OLD"], colours["Mara Quay"]
    assert {colours["S-FAR"], colours["D-BUSY"]} == {declared}
    assert (declared, unknown) == ("rgb(247,244,230)", "rgb(255,255,255)")


def test_what_was_declared_before_a_day_can_be_left_out(page: Page, server: Server) -> None:
    open_company(page, server, "I-OLD")
    assert "S-FAR" in listed(page)
    page.get_by_label("Declared since").fill("2024-01-01")
    expect(page.locator("#caption")).to_contain_text("declared since 2024-01-01")
    expect(page.locator("#picture")).to_have_attribute("aria-busy", "false")
    row = page.locator("#list tbody tr").filter(has=page.get_by_role("rowheader", name="I-OLD"))
    expect(row.get_by_role("cell", name="132,000")).to_have_count(0)


@pytest.mark.parametrize("language", ["fr", "zh"])
def test_the_page_speaks_french_and_chinese(page: Page, server: Server, language: str) -> None:
    open_company(page, server, "I-BACK", lang=language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    words = json.loads((STATIC / f"words.{language}.json").read_text())
    expect(page.get_by_role("tab").first).to_have_text(words["view.graph"])
    expect(page.locator("#paths li").first).to_contain_text("2023-09-12")
    expect(page.locator("#paths li").first).not_to_contain_text("successor")


def test_the_slider_goes_back_to_what_was_known_then(page: Page, server: Server) -> None:
    open_company(page, server, "I-OLD")
    assert "I-NEW" in listed(page)
    slider = page.get_by_role("slider", name="As known on")
    slider.focus()
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "2023-06-12")
    expect(page.locator("#caption")).to_contain_text("As known on 2023-06-12")
    expect(page.locator("#picture")).to_have_attribute("aria-busy", "false")
    assert "I-NEW" not in listed(page)


def test_expanding_and_filtering(page: Page, server: Server) -> None:
    open_company(page, server, "I-NEW")
    before = listed(page)
    assert "I-SHARE" not in before
    expand = page.get_by_role("button", name="Expand S-FAR")
    expand.click()
    expect(expand).to_have_count(0)
    expect(page.locator("#picture")).to_have_attribute("aria-busy", "false")
    assert len(listed(page).splitlines()) >= len(before.splitlines())
    sellers = page.locator("#kinds").get_by_role("checkbox", name="Seller")
    sellers.uncheck()
    assert "S-FAR" not in listed(page)
    sellers.check()
    assert "S-FAR" in listed(page)


def test_going_back_shows_the_company_before(page: Page, server: Server) -> None:
    open_company(page, server, "I-NEW")
    page.get_by_role("tab", name="List").click()
    page.get_by_role("button", name="Open I-OLD").click()
    expect(page.locator("#company")).to_contain_text("I-OLD")
    page.go_back()
    expect(page.locator("#company")).to_contain_text("I-NEW")


def test_pictures_and_tables_are_saved(page: Page, server: Server) -> None:
    open_company(page, server, "I-SHARE")
    with page.expect_download() as picture:
        page.get_by_role("button", name="Save picture").click()
    assert picture.value.suggested_filename == "network-importer-I-SHARE-2024-03-18.png"
    assert Path(picture.value.path()).read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as table:
        page.get_by_role("button", name="Save relations").click()
    text = Path(table.value.path()).read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert networks.CONTAINER in {row["b_identity"] for row in rows}
    # A name is text, to the page and to a spreadsheet.
    assert "'=Étoile & Fils <b>SARL</b>" in {row["a_name"] for row in rows}
    expect(page.locator("#company")).to_contain_text("<b>SARL</b>")
    texts = ["=A1", "\t=A1", "\r\n@A1", " \u200b\uff1dA1", "x;-1", "'+1", "O'Neill - Sons", "", "a=b;;=c"]
    every = "async (values) => { const { cell } = await import('/network/cell.js'); return values.map(cell); }"
    cells = page.evaluate(every, texts)
    assert next(csv.reader(io.StringIO(",".join(cells), newline=""))) == [spreadsheet.defused(text) for text in texts]
    assert page.evaluate(every, [-1.5, None]) == ["-1.5", ""]


def test_what_was_opened_is_in_the_log(page: Page, server: Server) -> None:
    open_company(page, server, "I-0003")
    with server.client("aud") as client:
        found = client.get("/api/2.0/tidewaiter/network/openings").raise_for_status().json()["openings"]
    assert ("rea", "company", "importer", "I-0003") in {
        (row["account"], row["asked"], row["kind"], row["identity"]) for row in found
    }
    assert server.call("rea", "GET", "/api/2.0/tidewaiter/network/openings").status_code == 403


def test_a_refusal_is_told_and_leaves_the_picture(page: Page, server: Server) -> None:
    open_company(page, server, "I-NEW")
    page.route("**/network/company?**", lambda route: route.fulfill(status=503, json={"message": "the server rests"}))
    page.get_by_role("tab", name="List").click()
    page.get_by_role("button", name="Open I-OLD").click()
    expect(page.get_by_role("alert")).to_contain_text("the server rests")
    expect(page.locator("#company")).to_contain_text("I-NEW")


def test_nobody_looks_without_signing_in(server: Server) -> None:
    for path in ("/network", "/network/page.js", "/api/2.0/tidewaiter/network/sources"):
        assert httpx.get(server.url + path, trust_env=False).status_code == 401

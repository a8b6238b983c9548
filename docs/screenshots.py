"""Takes the pictures of these pages from a real `tidewaiter up` and a small retraining: `make screenshots`.

Everything happens in a temporary folder and is stopped at the end; only docs/images/*.png are written.
"""

import html
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import date, datetime
from datetime import time as dt_time
from pathlib import Path

import polars as pl
from playwright.sync_api import Page

from features.network_map.build import described
from features.network_map.queries import Graph
from features.simulator import Parameters
from flows.play.cast import Cast
from flows.play.coming import coming
from flows.servers import prefect_api
from models.access.accounts import ADMINISTRATOR_ACCOUNT
from models.clock import set_to
from models.network_page.page import address
from tests.browser import started
from tests.browser.started import Servers

IMAGES = Path(__file__).with_name("images")
RUN = "retraining-of-a-small-year"
PARAMETERS = {"source": "simulator", "rows": 60_000, "months": 12}
DAY = date(2024, 1, 2)  # the first working day after the simulated year
PEOPLE = {
    "dan": ("data-scientist", "risk-analyst"),
    "ana": ("risk-analyst",),
    "rea": ("reviewer",),
    "rob": ("reviewer",),
    "ola": ("officer",),
    "sue": ("supervisor",),
    "pia": ("analyst",),
}

_NOBODY: Mapping[str, str] = {}
_RUN_S = 900
_PROMOTED_S = 180
_TOLD_S = 120
_SETTLE_MS = 2500  # charts and graphs move into place


def main() -> None:
    """Retrain a model, then take a picture of every page."""
    if started.CHROMIUM is None:
        sys.exit(started.NO_CHROMIUM)
    with (
        tempfile.TemporaryDirectory(prefix="tidewaiter-screenshots-") as folder,
        started.up(Path(folder), window_source="simulator", played_clock=_clock(Path(folder))) as servers,
    ):
        passwords = {name: started.add_person(servers, name, *roles) for name, roles in PEOPLE.items()}
        run = _retrain(servers, ("dan", passwords["dan"]))
        with started.browser_page("rea", passwords["rea"]) as page:
            _prefect(page, servers, run)
            _mlflow(page, servers)
            _validation(page, started.state_folder(Path(folder)))
            _network(page, servers, started.state_folder(Path(folder)))
        _signoff(servers, passwords)
        _desk(servers, passwords)
        _played(servers, passwords)


def _retrain(servers: Servers, account: tuple[str, str]) -> str:
    """Run retrain/adhoc to its end, as its form would, and return the run's id."""
    with prefect_api.connect(servers.prefect_url, account) as client:
        adhoc = next(found for found in prefect_api.deployments(client) if found.name == "retrain/adhoc")
        body = {"name": RUN, "parameters": {"parameters": PARAMETERS}}
        run = client.post(f"/deployments/{adhoc.id}/create_flow_run", json=body).raise_for_status().json()["id"]
        deadline = time.monotonic() + _RUN_S
        while True:
            state = client.get(f"/flow_runs/{run}").raise_for_status().json()["state"]
            if state["type"] == "COMPLETED":
                return run
            if state["type"] in ("FAILED", "CRASHED", "CANCELLED") or time.monotonic() > deadline:
                raise RuntimeError(f"retrain/adhoc is {state['name']}: {state['message']}")
            time.sleep(2)


def _prefect(page: Page, servers: Servers, run: str) -> None:
    page.goto(f"{servers.prefect_url}/deployments")
    page.get_by_text("At 01:30 AM every day").wait_for()
    _take(page, "prefect-deployments")
    started.open_run_form(page, servers)
    as_usual = page.viewport_size
    page.set_viewport_size({"width": 1600, "height": 1420})  # the whole form
    _take(page, "prefect-run-form")
    page.set_viewport_size(as_usual)
    page.goto(f"{servers.prefect_url}/runs/flow-run/{run}")
    page.get_by_text("Artifacts", exact=True).click()
    page.get_by_text("What the retraining did").wait_for()
    _take(page, "prefect-run")
    page.get_by_text("What the retraining did").click()
    page.get_by_text("data version").wait_for()
    _take(page, "prefect-artifacts")


def _mlflow(page: Page, servers: Servers) -> None:
    deadline = time.monotonic() + _TOLD_S
    while not page.get_by_text("Waiting for signatures").is_visible():
        if time.monotonic() > deadline:
            raise RuntimeError(f"the model's page has not said what waits in {_TOLD_S} s")
        page.goto(f"{servers.mlflow_url}/#/models/customs-risk")
        page.reload()
        page.get_by_text("Which import declarations to inspect.").wait_for()
    _take(page, "mlflow-waiting")
    started.open_version(page, servers, "1")
    _take(page, "mlflow-version")
    page.locator("img[src*='plots/gain.png']").scroll_into_view_if_needed()
    _take(page, "mlflow-card")
    started.step_row(page, "technical").scroll_into_view_if_needed()
    _take(page, "mlflow-tags")
    page.get_by_role("link", name="candidate").first.click()
    page.get_by_placeholder("Search metrics").fill("model.")
    _take(page, "mlflow-run")
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("plots", exact=True).click()
    page.get_by_text("gain.png", exact=True).click()
    _take(page, "mlflow-plots")


def _validation(page: Page, state: Path) -> None:
    (found,) = (state / "reports" / "validation" / "simulator").glob("declarations-2023-12-*.html")
    page.goto(found.as_uri())
    _take(page, "validation-page")


def _network(page: Page, servers: Servers, state: Path) -> None:
    """Take pictures of a company that a register calls another one's successor: as a graph, and as a list in French."""
    subprocess.run([started.TIDEWAITER, "network"], cwd=started.ROOT, env=servers.environment, check=True)
    folder = state / "cache" / "networks" / "simulator"
    found = described(folder)
    if found is None:
        raise RuntimeError(f"{folder} has no network")
    graph = Graph.open(folder / found.digest)
    succeeded = graph.ties.filter(pl.col("kind") == "predecessor", pl.col("is_first"))["node"]
    successor = graph.nodes.filter(pl.col("node").is_in(succeeded.implode()), kind="importer")["identity"][0]
    here = servers.mlflow_url + address("simulator", successor)
    page.goto(here)
    page.locator("#graph[data-painted]").wait_for()
    _take(page, "network")
    page.goto(f"{here}&lang=fr")
    page.locator("#graph[data-painted]").wait_for()
    page.locator("#list-tab").click()
    _take(page, "network-list")


def _clock(folder: Path) -> str:
    """Return the file by which it is the morning of the first working day after the simulated year."""
    file = folder / "clock"
    set_to(file, datetime.combine(DAY, dt_time(9)))
    return str(file)


def _administrator(servers: Servers) -> Mapping[str, str]:
    return {
        "MLFLOW_TRACKING_USERNAME": ADMINISTRATOR_ACCOUNT,
        "MLFLOW_TRACKING_PASSWORD": servers.administrator_password,
    }


def _desk(servers: Servers, passwords: dict[str, str]) -> None:
    """Take pictures of a day at the desk: declarations come by the window, and officers say what they find."""
    administrator = _administrator(servers)
    world = Parameters(rows=PARAMETERS["rows"], months=PARAMETERS["months"])
    declared = [each for each in coming(world, DAY, 1)[0] if each.version == 1]
    offices = sorted({each.message["items"][0]["office"] for each in declared})
    for name in ("ola", "sue"):
        _run(servers, ["users", "offices", name, *offices], administrator)
    said = _run(servers, ["tokens", "add", "single-window", "--role", "declaration-system"], administrator)
    token = said.partition("token ")[2].split()[0]
    system = Cast(servers.mlflow_url, servers.window_url, {}, token)
    for each in declared:
        system.declare(each)
    with started.browser_page("ola", passwords["ola"]) as page:
        page.goto(f"{servers.mlflow_url}/desk")
        _take(page, "desk-queue")
        for found in ("nothing", "nothing", "undervaluation", "nothing", "quantity"):
            _take_next(page, "Nothing suspicious")
            page.locator(f"[value={found}]").check()
            page.get_by_role("button", name="File it and release").click()
            page.wait_for_url(f"{servers.mlflow_url}/desk")
        _take_next(page, "Suspicious")
        page.locator("[value=undervaluation]").check()
        page.set_viewport_size({"width": 420, "height": 1500})
        _take(page, "desk-case")
    with started.browser_page("pia", passwords["pia"]) as page:
        page.goto(f"{servers.mlflow_url}/criteria")
        page.locator("#name").fill("footwear-of-vietnam")
        page.locator("[name=column_1]").select_option("hs_code")
        page.locator("[name=operator_1]").select_option("begins with")
        page.locator("[name=values_1]").fill("6402; 6403; 6404")
        page.locator("#why").fill("Three consignments in a week had false declarations of origin.")
        page.locator("button[value=preview]").click()
        page.get_by_role("heading", name="On the last 8 weeks").wait_for()
        _take(page, "criteria")


def _played(servers: Servers, passwords: dict[str, str]) -> None:
    """Take pictures of a played day: what its books say, and what the supervisor sees of it."""
    with started.browser_page("sue", passwords["sue"]) as page:
        _terminal(page, servers, "played-day", ["play", "--days", "1"], account=_administrator(servers))
        page.goto(f"{servers.mlflow_url}/desk/supervision")
        _take(page, "desk-supervision")


def _take_next(page: Page, impression: str) -> None:
    """Take the next case, and give a first impression where one is asked for."""
    page.get_by_role("button", name="Take the next case").click()
    page.wait_for_url("**/desk/cases/*")
    asked = page.get_by_role("button", name=impression, exact=True)
    if asked.count():
        asked.click()
        asked.wait_for(state="detached")


def _run(servers: Servers, command: list[str], account: Mapping[str, str]) -> str:
    """Run a command as an account, and return what it said."""
    environment = {**servers.environment, **account, "COLUMNS": "170"}
    done = subprocess.run(
        [started.TIDEWAITER, *command], cwd=started.ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def _signoff(servers: Servers, passwords: dict[str, str]) -> None:
    """Take pictures while the author is refused, others sign and champion moves; then of what the ledger says of it."""
    with started.browser_page("dan", passwords["dan"]) as page:
        _sign(page, servers, "technical", "approved: it is mine, and good")
        page.get_by_text("Failed to set tag").wait_for()
        _take(page, "mlflow-refusal", settle_ms=1000)  # the message slides in, and goes after some seconds
    with started.browser_page("ana", passwords["ana"]) as page:
        _sign(page, servers, "technical", "approved: finds more than the risk profile, at the same effort")
        page.get_by_text("approved by ana.").wait_for()
    with started.browser_page("rea", passwords["rea"]) as page:
        page.goto(f"{servers.mlflow_url}/signoff")
        page.get_by_role("heading", name="Waiting for you").wait_for()
        _take(page, "signoff-list")
        page.get_by_role("link", name="version 1", exact=True).click()
        page.get_by_label("Reason").fill("No office is judged worse than before.")
        _take(page, "signoff-version")
        _sign(page, servers, "governance", "approved: no office is judged worse than before")
        page.get_by_text("1 of 2: approved by rea").wait_for()
        started.step_row(page, "technical").scroll_into_view_if_needed()
        _take(page, "mlflow-tally")
    with started.browser_page("rob", passwords["rob"]) as page:
        _sign(page, servers, "governance", "approved: agreed in the board on Monday")
        page.get_by_text("2 of 2: approved by rea, rob").wait_for()
        alias, deadline = page.get_by_text("@ champion", exact=True), time.monotonic() + _PROMOTED_S
        while not alias.is_visible():
            if time.monotonic() > deadline:
                raise RuntimeError(f"champion has not moved in {_PROMOTED_S} s")
            _open_tags(page, servers)
        _take(page, "mlflow-champion")
        _terminal(page, servers, "audit", ["audit", "show", "1"], ["audit", "verify"])


def _sign(page: Page, servers: Servers, step: str, words: str) -> None:
    _open_tags(page, servers)
    started.sign(page, step, words)


def _open_tags(page: Page, servers: Servers) -> None:
    """Open the version's page without its card, so that aliases and tags are in one picture."""
    page.goto("about:blank")  # otherwise the address stays the same and nothing is loaded again
    started.open_version(page, servers, "1")
    page.get_by_role("button", name="Description").click()
    started.step_row(page, "technical").scroll_into_view_if_needed()


def _terminal(
    page: Page, servers: Servers, name: str, *commands: list[str], account: Mapping[str, str] = _NOBODY
) -> None:
    """Take a picture of what commands say."""
    shown = [f"$ tidewaiter {' '.join(command)}\n{_run(servers, command, account)}" for command in commands]
    page.set_content(f"<pre style='padding: 16px; width: fit-content'>{html.escape(chr(10).join(shown))}</pre>")
    page.locator("pre").screenshot(path=IMAGES / f"{name}.png")


def _take(page: Page, name: str, settle_ms: float = _SETTLE_MS) -> None:
    page.wait_for_timeout(settle_ms)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()

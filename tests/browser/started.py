"""`tidewaiter up` for a browser to look at: it has free ports, state and data of its own, and ends with the block.

It serves the browser tests and docs/screenshots.py.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from flows.commands.people import desk
from flows.processes import children
from flows.settings import PREFIX
from models.access.accounts import ADMINISTRATOR_ACCOUNT
from tests.support import signoff_server
from tests.support.signoff_server import Server

ROOT = Path(__file__).parents[2]
TIDEWAITER = Path(sys.executable).with_name("tidewaiter")
CHROMIUM = shutil.which("chromium")
NO_CHROMIUM = "chromium is not on the PATH: install it to look at pages"

# On a busy machine the server's first answer about a version takes longer than the usual 5 s: it has it judged first.
expect.set_options(timeout=60_000)

# Pages are laid out for a wide window, and pictures of them are to be 1280 pixels wide.
_WIDTH, _HEIGHT, _SCALE = 1600, 1000, 0.8
_PREFERENCES = {"color-scheme": '"light"'}  # Prefect's; MLflow's come with its page
_READY_S, _STOP_S = 240, 90
_TICK_S = 0.3


@dataclass(frozen=True)
class Servers:
    """The servers' addresses, the environment in which `tidewaiter` finds them, and what the first start has shown."""

    prefect_url: str
    mlflow_url: str
    window_url: str
    environment: Mapping[str, str]
    administrator_password: str


def state_folder(folder: Path) -> Path:
    """Where an `up` of `folder` keeps its state."""
    return folder / ".tidewaiter"


@contextmanager
def up(folder: Path, root: Path = ROOT, **more: str) -> Generator[Servers]:
    """Run `tidewaiter up` with state and data in `folder`, and end it; RuntimeError where it does not get ready.

    `root` is the checkout that runs, and `more` has further settings.
    """
    mlflow_port, prefect_port, window_port = free_ports()
    settings = {
        "STATE_FOLDER": str(state_folder(folder)),
        "DATA_FOLDER": str(folder / "data"),
        "MLFLOW_PORT": str(mlflow_port),
        "PREFECT_PORT": str(prefect_port),
        "WINDOW_PORT": str(window_port),
        **{name.upper(): value for name, value in more.items()},
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "PREFECT_"))}
    path = os.pathsep.join(filter(None, (str(root), inherited.get("PYTHONPATH"))))  # tests set it for their children
    environment = inherited | {PREFIX + name: value for name, value in settings.items()} | {"PYTHONPATH": path}
    log = folder / "up.out"
    with log.open("w") as out:
        process = subprocess.Popen([TIDEWAITER, "up"], cwd=root, env=environment, stdout=out, stderr=out)
    try:
        said = _wait_ready(process, log)
        password = re.search(r"its password (\S+)", said)
        yield Servers(
            f"http://127.0.0.1:{prefect_port}",
            f"http://127.0.0.1:{mlflow_port}",
            f"http://127.0.0.1:{window_port}",
            environment,
            password[1] if password else "",
        )
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_S)
        finally:
            process.kill()
            children.end(children.marked(state_folder(folder)))


def add_person(servers: Servers, name: str, *roles: str) -> str:
    """Make an account with roles, as the administrator does; returns its password."""
    with desk(servers.mlflow_url, ADMINISTRATOR_ACCOUNT, servers.administrator_password) as server:
        return server.add(name, roles)


@contextmanager
def browser_page(name: str = "", password: str = "") -> Generator[Page]:
    """A page of a browser of its own, where somebody has signed in to MLflow; without a name, nobody has."""
    # Chromium refuses its sandbox to root, which is what containers run as.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        context = browser.new_context(
            viewport={"width": _WIDTH, "height": _HEIGHT},
            device_scale_factor=_SCALE,
            http_credentials={"username": name, "password": password} if name else None,
        )
        context.set_default_timeout(60_000)
        for name, value in _PREFERENCES.items():
            context.add_init_script(f"localStorage.setItem({json.dumps(name)}, {json.dumps(value)})")
        yield context.new_page()
        browser.close()


@contextmanager
def watched_page(server: Server, who: str) -> Generator[Page]:
    """A browser of one of the people; the block fails where a page raises an error or asks another server."""
    errors: list[str] = []
    with browser_page(who, signoff_server.password(who)) as page:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
        page.on("request", lambda asked: None if asked.url.startswith(server.url) else errors.append(asked.url))
        yield page
    assert errors == []


def open_run_form(page: Page, servers: Servers) -> None:
    """Go to the form of a custom run of retrain/adhoc, as a person does."""
    page.goto(f"{servers.prefect_url}/deployments")
    page.get_by_role("link", name="adhoc", exact=True).click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    page.get_by_text("Where the declarations come from").wait_for()


def open_version(page: Page, servers: Servers, version: str) -> None:
    """Go to the page of a version of customs-risk."""
    page.goto(f"{servers.mlflow_url}/#/models/customs-risk/versions/{version}")
    page.get_by_text("signoff.governance").first.wait_for()


def step_row(page: Page, step: str) -> Locator:
    """The row of a step's tag on a version's page."""
    return page.get_by_role("row").filter(has_text=f"signoff.{step}")


def sign(page: Page, step: str, words: str) -> None:
    """Edit the tag of a step on a version's page, as a person does."""
    row = step_row(page, step)
    row.get_by_role("button").first.click()
    row.get_by_role("textbox").fill(words)
    page.get_by_role("button", name="Save").click()


def _wait_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """What `up` has said until it was ready."""
    deadline = time.monotonic() + _READY_S
    while "Ready." not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"tidewaiter up is not ready:\n{log.read_text()}")
        time.sleep(_TICK_S)
    return log.read_text()


def free_ports() -> tuple[int, int, int]:
    with socket.socket() as one, socket.socket() as two, socket.socket() as three:
        for probe in (one, two, three):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1], three.getsockname()[1]

"""One sign-on at a whole `tidewaiter up`: MLflow's server, Prefect's server and the pages.

The identity provider is a small one on loopback. Which groups have which roles is policy, so the trial runs a clone of
this checkout with a policy of its own.
"""

import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.browser import started
from tests.browser.started import ROOT, Servers
from tests.support.identity_provider import CLIENT_ID, SECRET, IdentityProvider, serving
from tests.trials.running import Trial, Unit

_CONFIRM_S = 3
_GROUPS = """
makers = ["data-scientist"]
reviewers = ["reviewer"]
"""
_PEOPLE = {
    "s-1": {"preferred_username": "dan", "groups": ["makers"]},
    "s-2": {"preferred_username": "rea", "groups": ["reviewers"]},
    "s-3": {"preferred_username": "eve", "groups": ["canteen"]},
}


def sign_on(number: int) -> Mapping[str, Any]:
    """Let people sign in and lose their groups; AssertionError where somebody gets in who may not, or does not."""
    with tempfile.TemporaryDirectory(prefix="tidewaiter-sign-on-") as scratch, serving(IdentityProvider()) as idp:
        folder = Path(scratch)
        idp.people.update({subject: dict(claims) for subject, claims in _PEOPLE.items()})
        secret = folder / "sign-on.secret"
        secret.touch(0o600)
        secret.write_text(SECRET)
        own = {
            "sign_on_issuer": idp.issuer,
            "sign_on_client_id": CLIENT_ID,
            "sign_on_secret_file": str(secret),
            "window_source": "simulator",
        }
        with started.up(folder, _clone(folder / "checkout"), **own) as servers:
            _refused(servers)
            return {
                "signed_in": _works(servers, idp, "s-1", is_data_scientist=True)
                + _works(servers, idp, "s-2", is_data_scientist=False),
                "turned_away": _stranger(servers, idp),
                "lost_after_s": _loses(servers, idp),
            }


def _clone(folder: Path) -> Path:
    """Return a clone whose policy knows the provider's groups, and asks again after seconds."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    policy = folder / "models" / "policy.toml"
    said = policy.read_text().replace("confirm_minutes = 10.0", f"confirm_minutes = {_CONFIRM_S / 60}")
    policy.write_text(said + _GROUPS)
    return folder


def _refused(servers: Servers) -> None:
    """Nobody comes in without having signed in, whether by no password or by one."""
    for account in (None, ("dan", "a password that nobody gave")):
        with httpx.Client(auth=account, trust_env=False, timeout=60) as client:
            for url in (
                f"{servers.prefect_url}/api/flow_runs/count",
                f"{servers.mlflow_url}/api/2.0/mlflow/experiments/search",
            ):
                assert client.post(url, json={"max_results": 1}).status_code == httpx.codes.UNAUTHORIZED, url


def _works(servers: Servers, idp: IdentityProvider, subject: str, *, is_data_scientist: bool) -> int:
    """A person signs in at each server in a browser, with no form to fill; only data scientists may start a run."""
    name = _PEOPLE[subject]["preferred_username"]
    idp.who = subject
    with started.browser_page() as page:
        page.goto(f"{servers.mlflow_url}/account")
        expect(page.get_by_text(name).first).to_be_visible()
        page.goto(f"{servers.mlflow_url}/#/models")
        page.get_by_text("Registered Models").first.wait_for()
        assert _answered(page, "/ajax-api/2.0/mlflow/experiments/search?max_results=1", "GET") == 200
        page.goto(f"{servers.prefect_url}/deployments")
        expect(page.get_by_role("link", name="adhoc", exact=True)).to_be_visible()
        asked = "async () => (await fetch('/api/deployments/name/rehearse/rehearsal')).json()"
        deployment = page.evaluate(asked)["id"]
        expected = 201 if is_data_scientist else 403
        assert _answered(page, f"/api/deployments/{deployment}/create_flow_run", "POST") == expected
    return 1


def _stranger(servers: Servers, idp: IdentityProvider) -> int:
    """Somebody whom the provider knows, in no group that counts, is told so and reaches neither server."""
    idp.who = "s-3"
    with started.browser_page() as page:
        for url in (f"{servers.mlflow_url}/account", f"{servers.prefect_url}/deployments"):
            answer = page.goto(url)
            assert answer is not None
            assert answer.status in (401, 403), (url, answer.status)
    return 1


def _loses(servers: Servers, idp: IdentityProvider) -> float:
    """Whoever is taken out of a group can do nothing any more; returns the seconds until both servers knew."""
    idp.who = "s-1"
    with started.browser_page() as page:
        page.goto(f"{servers.mlflow_url}/account")
        expect(page.get_by_text("dan").first).to_be_visible()  # by then the way over the provider has ended
        assert _answered(page, "/account", "GET") == 200
        page.goto(f"{servers.prefect_url}/deployments")
        page.get_by_role("link", name="adhoc", exact=True).wait_for()
        assert _answered(page, "/api/flow_runs/count", "POST") == 200
        idp.people["s-1"]["groups"] = []
        began = time.monotonic()
        while _answered(page, "/api/flow_runs/count", "POST") == 200:
            assert time.monotonic() - began < 10 * _CONFIRM_S
            time.sleep(0.5)
        page.goto(f"{servers.mlflow_url}/account", wait_until="networkidle")
        while _answered(page, "/account", "GET") == 200:
            assert time.monotonic() - began < 20 * _CONFIRM_S
            time.sleep(0.5)
        return round(time.monotonic() - began, 1)


def _answered(page: Page, url: str, method: str) -> int:
    """Return the status that the page's own request gets, with the session of its browser."""
    script = """async ([url, method]) => (await fetch(url, {method, redirect: 'manual',
        headers: {'content-type': 'application/json'}, body: method === 'POST' ? '{}' : undefined})).status"""
    return page.evaluate(script, [url, method])


@contextmanager
def _opened() -> Generator[Unit]:
    yield sign_on


TRIAL = Trial("one sign-on at a whole installation, by an identity provider on loopback", 1, _opened)

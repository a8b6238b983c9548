"""Who plays: officers at the desk, reviewers of sign-off, and a system that declares; each by its own account, by HTTP.

They read the pages and send the forms that people do. Not here: when they act (playing.py).
"""

import html
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from flows.play.coming import Coming, Truth
from models.policy import Lanes
from models.window import client

SYSTEM = "play-declarations"
OFFICERS = {"play-ola": 0.5, "play-oli": 1.0, "play-una": 1.0, "play-uwe": 1.0}  # the share of what a lane detects
ANALYST, REVIEWERS = "play-ana", ("play-rea", "play-rob")
PEOPLE = {**dict.fromkeys(OFFICERS, "officer"), ANALYST: "risk-analyst", **dict.fromkeys(REVIEWERS, "reviewer")}

PATIENCE_S = 300.0
_TIMEOUT_S = 60.0
_KINDS = {
    "undervaluation": "undervaluation",
    "misclassification": "misclassification",
    "false_origin": "origin",
    "underdeclared_mass": "quantity",
    "phoenix": "other",
    "prohibited_goods": "prohibited_goods",
    "honest_mistake": "other",
}
_CASE = re.compile(r"/desk/cases/(\d+)$")
_KEY = re.compile(r'name="key" value="([^"]+)"><input type="hidden" name="found_at"')
_DECLARED = re.compile(r'<h1>[^<]*<span class="muted">([^<]+)</span>')
_ITEM = re.compile(r'<option value="(\d+)">\d+</option>')
_LANE = re.compile(r'class="badge lane-(\w+)"')


class Unanswered(RuntimeError):
    """A server did not answer for longer than anybody waits, or answered what nobody expects. The message says what."""


@dataclass(frozen=True)
class Judged:
    """Tells what an officer has filed about the inspected items of a case: whether each was found to infringe."""

    case: int
    declaration_id: str
    officer: str
    found: Mapping[int, bool]


@dataclass(frozen=True)
class Cast:
    """Everybody who plays. `passwords` are those of PEOPLE, and `token` is that of SYSTEM."""

    mlflow_url: str
    window_url: str
    passwords: Mapping[str, str] = field(repr=False)
    token: str = field(repr=False)

    def declare(self, coming: Coming) -> dict[str, Any]:
        """Return the window's decision; ask again, with the same content, until there is one. Unanswered if not."""
        try:
            told = client.Client(self.window_url, self.token, PATIENCE_S).declare(coming.message)
        except client.Unanswered as error:
            raise Unanswered(f"{coming.declaration_id}: {error}") from error
        if not told["decisions"]:
            raise Unanswered(f"{coming.declaration_id}: the window refuses it: {told['refused']}")
        return told["decisions"][0]

    def work_off(self, name: str, truth: Mapping[tuple[str, int], Truth], lanes: Lanes, draw: str) -> list[Judged]:
        """Have an officer take one case after another until none is free; return what was filed."""
        done = []
        with self._browser(name) as browser:
            while True:
                opened = _sent(browser, "/desk/next", {})
                number = _CASE.search(opened.url.path)
                if number is None:
                    return done
                done.append(self._judge(browser, int(number[1]), opened.text, name, truth, lanes, draw))

    def sign(self, version: int) -> None:
        """Have the analyst and both reviewers approve a version, on its page."""
        path = f"/signoff/versions/{version}"
        with self._browser(ANALYST) as browser:  # the server judges the evidence of a version before it shows it
            wait_for(f"version {version} can be read", lambda: browser.get(path).status_code != HTTPStatus.NOT_FOUND)
        for name in (ANALYST, *REVIEWERS):
            with self._browser(name) as browser:
                page = _read(browser, path)
                step = re.search(r'name="step" value="([^"]+)"', page)
                if step is None:
                    raise Unanswered(f"version {version} cannot be signed by {name} on its page")
                words = {"step": step[1], "decision": "approved", "reason": f"{name} has read it, on played days"}
                _sent(browser, path, words)

    def _judge(
        self,
        browser: httpx.Client,
        number: int,
        page: str,
        name: str,
        truth: Mapping[tuple[str, int], Truth],
        lanes: Lanes,
        draw: str,
    ) -> Judged:
        declared, lane = _DECLARED.search(page), _LANE.search(page)
        items = [int(each) for each in _ITEM.findall(page)]
        if declared is None or lane is None or not items:
            raise Unanswered(f"case {number} is not shown as a case that {name} has in hand")
        declaration_id = html.unescape(declared[1])
        detects = getattr(lanes, lane[1]).detects * OFFICERS[name]
        found = {}
        for item in items:
            # Whoever looks, and however often, draws for the same item anew, and in a second run the same.
            is_seen = random.Random(f"{draw} {declaration_id} {item} {name}").random() < detects
            found[item] = truth[declaration_id, item].is_illicit and is_seen
        impression = "suspicious" if any(found.values()) else "clear"
        if f"/desk/cases/{number}/impression" in page:
            page = _sent(browser, f"/desk/cases/{number}/impression", {"impression": impression}).text
        hits = [item for item in items if found[item]]
        for item in hits:
            known = truth[declaration_id, item]
            words = {
                "key": _key(page, number),
                "what": _KINDS[known.scheme],
                "item": str(item),
                "revenue": f"{known.evaded:.2f}",
                "words": "found on a played day",
                **({"critical": "on"} if known.is_critical else {}),
                **({"rest": "on"} if item == hits[-1] and len(items) > len(hits) else {}),
                **({"release": "1"} if item == hits[-1] else {"keep": "1"}),
            }
            page = _sent(browser, f"/desk/cases/{number}/finding", words).text
        if not hits:
            _sent(
                browser, f"/desk/cases/{number}/finding", {"key": _key(page, number), "what": "nothing", "release": "1"}
            )
        return Judged(number, declaration_id, name, found)

    def _browser(self, name: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.mlflow_url,
            auth=(name, self.passwords[name]),
            timeout=_TIMEOUT_S,
            trust_env=False,
            follow_redirects=True,
        )


def wait_for(what: str, is_so: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait until something is so; Unanswered if it takes longer."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise Unanswered(f"{what}: not within {seconds:.0f} s")
        time.sleep(1.0)


def _key(page: str, number: int) -> str:
    found = _KEY.search(page)
    if found is None:
        raise Unanswered(f"case {number} has no form for a finding")
    return found[1]


def _read(browser: httpx.Client, path: str) -> str:
    answer = browser.get(path)
    if answer.is_error:
        raise Unanswered(f"{path} is answered {answer.status_code}: {_words(answer)}")
    return answer.text


def _sent(browser: httpx.Client, path: str, form: Mapping[str, str]) -> httpx.Response:
    """Send a form as the page does, and return the page to which it leads."""
    answer = browser.post(path, data=dict(form), headers={"Content-Type": "application/x-www-form-urlencoded"})
    if answer.is_error:
        raise Unanswered(f"{path} is answered {answer.status_code}: {_words(answer)}")
    return answer


def _words(answer: httpx.Response) -> str:
    alert = re.search(r'role="alert">(.*?)</p>', answer.text, re.DOTALL)
    return re.sub(r"<[^>]+>", "", alert[1] if alert else answer.text)[:300].strip()

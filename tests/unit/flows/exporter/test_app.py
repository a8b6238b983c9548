"""Who is told the figures, what becomes of a group that cannot be read, and what rules and board ask for."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from flows.exporter import app, families
from flows.exporter.collecting import Figures
from flows.settings import Settings
from models.access import Names
from models.access.accounts import METRICS, SYSTEM
from models.access.tokens import Tokens
from models.window.measured import Measured
from tests.support.opened import accounts

DEPLOY = Path(__file__).parents[4] / "deploy" / "prometheus"


class Door:
    """A running exporter; its group `shaky` raises `error` if there is one."""

    def __init__(self, folder):
        self.error: Exception | None = None
        self.tokens = Tokens(accounts(f"sqlite:///{folder / 'accounts.db'}"))
        self.given = {role: self.tokens.make(f"a-{role}", role, "admin") for role in (METRICS, SYSTEM)}
        self.figures = Figures({"steady": self._steady, "shaky": self._shaky})
        self.figures.look()
        served = app.app(self.figures, self.tokens, Names())
        self.client = TestClient(served, base_url="http://127.0.0.1", headers={"User-Agent": "prometheus/3"})

    def _steady(self):
        return [families.family("steady", "It is there.", (), [((), 1.0)])]

    def _shaky(self):
        if self.error:
            raise self.error
        return [families.family("shaky", "It comes and goes.", (), [((), 2.0)])]

    def asked(self, role=METRICS, **headers):
        return self.client.get("/metrics", headers={"Authorization": f"Bearer {self.given[role]}", **headers})

    def series(self):
        found = text_string_to_metric_families(self.asked().text)
        return {(sample.name, *sample.labels.values()): sample.value for each in found for sample in each.samples}


@pytest.fixture
def door(tmp_path):
    made = Door(tmp_path)
    yield made
    made.tokens.close()


def test_a_machine_with_the_role_is_told_and_nobody_else(door):
    assert door.asked().status_code == 200
    assert door.asked(SYSTEM).status_code == 403
    assert door.client.get("/metrics").status_code == 401
    assert door.asked(Origin="http://127.0.0.1").status_code == 403
    assert door.asked(Host="elsewhere.example").status_code == 403
    door.tokens.revoke(f"a-{METRICS}")
    assert door.asked().status_code == 401


def test_health_tells_nothing_and_asks_for_no_token(door):
    answer = door.client.get("/metrics/health")
    assert (answer.status_code, answer.json()) == (200, {})


def test_what_cannot_be_read_is_left_out_and_said(door, caplog):
    assert door.series()["tidewaiter_shaky",] == 2.0
    door.error = OSError("the disk is <gone>")
    door.figures.look()
    door.figures.look()
    found = door.series()
    assert ("tidewaiter_shaky",) not in found
    assert (found["tidewaiter_figures_readable", "shaky"], found["tidewaiter_figures_readable", "steady"]) == (0.0, 1.0)
    assert ("tidewaiter_figures_timestamp_seconds", "shaky") not in found
    assert len([line for line in caplog.messages if "the disk is <gone>" in line]) == 1
    door.error = None
    door.figures.look()
    assert door.series()["tidewaiter_shaky",] == 2.0


def test_an_installation_that_has_nothing_yet_says_what_cannot_be_read(tmp_path):
    settings = Settings(state_folder=tmp_path / "state", data_folder=tmp_path / "data")
    figures = Figures(app.groups(settings, tmp_path))
    figures.look()
    found = {each.name: each for each in figures.collect()}
    readable = {each.labels["group"]: each.value for each in found["tidewaiter_figures_readable"].samples}
    assert (readable["status"], readable["ledger"], readable["drift"]) == (1.0, 0.0, 0.0)
    checks = {each.labels["check"]: each.value for each in found["tidewaiter_check_ok"].samples}
    assert checks == {"up": 0.0}


def _asked_for(text):
    return set(re.findall(r"\btidewaiter_[a-z_]+", text))


def _there_are():
    source = Path(families.__file__).read_text() + Path(families.__file__).with_name("collecting.py").read_text()
    names = {f"tidewaiter_{name}" for name in re.findall(r"""family\(\s*"([a-z_]+)",""", source)}
    measured = Measured()
    measured.answered(SYSTEM, 200, 0.01)
    samples = [
        sample.name for each in text_string_to_metric_families(measured.text().decode()) for sample in each.samples
    ]
    return names | set(samples)


def test_there_are_enough_of_them_and_rules_and_board_ask_for_what_there_is():
    there = _there_are()
    assert len(there) >= 20
    rules = (DEPLOY / "rules.yaml").read_text()
    alerts = [rule["alert"] for group in yaml.safe_load(rules)["groups"] for rule in group["rules"]]
    assert len(alerts) == len(set(alerts)) >= 10
    board = (DEPLOY / "board.json").read_text()
    assert json.loads(board)["title"] == "Tidewaiter"
    for text in (rules, board):
        assert _asked_for(text)
        assert _asked_for(text) <= there

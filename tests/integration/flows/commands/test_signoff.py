"""The commands of sign-off against a real server behind the guard, as a person types them."""

import json
import os
import re
from datetime import date, timedelta
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from features.ingestion import ingest
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource, write
from features.store import Store
from flows.commands import cli, criteria, signoff
from models.policy import load
from tests.support import signoff_server
from tests.support.commands import begin
from tests.support.signoff_server import ADMINISTRATOR, ADMINISTRATOR_PASSWORD

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Version 1 waits; people of every role are there."""
    folder = tmp_path_factory.mktemp("state")
    signoff_server.register(folder)
    with signoff_server.server(folder) as started:
        signoff_server.add_people(started)
        started.inspect()
        yield started


@pytest.fixture
def tidewaiter(server, tmp_path, monkeypatch):
    """A command in somebody's name, in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    for module in (signoff, criteria):
        monkeypatch.setattr(module, "begin", begin)

    def run(who, *arguments, password=None):
        known = ADMINISTRATOR_PASSWORD if who == ADMINISTRATOR else signoff_server.password(who)
        environment = {
            "TIDEWAITER_STATE_FOLDER": str(server.folder),
            "TIDEWAITER_MLFLOW_TRACKING_URI": server.url,
            "MLFLOW_TRACKING_USERNAME": who,
            "MLFLOW_TRACKING_PASSWORD": password or known,
            "COLUMNS": "250",
        }
        with patch.dict(os.environ, environment):  # and what a command adds to it is taken away
            result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
        return result.exit_code, result.stdout, result.stderr

    return run


def test_a_person_is_added_signs_in_and_is_removed(server, tidewaiter):
    code, said, _ = tidewaiter(ADMINISTRATOR, "users", "add", "zoe", "--role", "reviewer", "--role", "auditor")
    assert code == 0
    password = re.search(r"password (\S+)", said)[1]
    code, said, _ = tidewaiter("zoe", "users", "list", "--json", password=password)
    assert code == 0
    # MLflow tells people their own roles only.
    assert {"name": "zoe", "roles": ["auditor", "reviewer"], "is_administrator": False, "offices": []} in json.loads(
        said
    )
    assert tidewaiter(ADMINISTRATOR, "users", "remove", "zoe")[0] == 0
    code, _, told = tidewaiter("zoe", "users", "list", password=password)
    assert (code, told.strip()) == (1, "MLflow does not know this name with this password")


@pytest.mark.parametrize(
    ("who", "arguments", "told"),
    [
        (
            ADMINISTRATOR,
            ("add", "zoe", "--role", "king"),
            "role 'king' does not exist; allowed: analyst, auditor, data-scientist, ",
        ),
        (ADMINISTRATOR, ("add", "zo:e", "--role", "reviewer"), "name 'zo:e' is not for a person; allowed: up to 63 "),
        (ADMINISTRATOR, ("add", "mlflow-server", "--role", "reviewer"), "is not for a person"),
        (ADMINISTRATOR, ("add", "ANA", "--role", "reviewer"), "ana is there already, with risk-analyst"),
        (ADMINISTRATOR, ("add", "zoe", "--role", "service"), "role 'service' does not exist"),
        (ADMINISTRATOR, ("remove", "zoe"), "there is no account 'zoe'"),
        (ADMINISTRATOR, ("remove", "tidewaiter"), "tidewaiter is an account that the servers need"),
        (
            "rea",
            ("add", "zoe", "--role", "reviewer"),
            "accounts and roles are the administrator's to change, not rea's",
        ),
        ("dan", ("remove", "rea"), "accounts and roles are the administrator's to change, not dan's"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(tidewaiter, who, arguments, told):
    code, _, said = tidewaiter(who, "users", *arguments)
    assert code == 1
    assert told in said
    assert len(said.strip().splitlines()) == 1


def test_a_personal_token_stands_in_the_place_of_the_password(server, tidewaiter):
    code, said, _ = tidewaiter("dan", "token", "new", "laptop", "--days", "7")
    assert code == 0
    token = said.split()[0]
    code, said, _ = tidewaiter("dan", "token", "list", "--json", password=token)
    assert [(each["name"], each["counts"]) for each in json.loads(said)] == [("laptop", True)]
    code, _, told = tidewaiter("dan", "token", "new", "another", password=token)
    assert (code, told.startswith("a token makes no other")) == (1, True)
    bearer = {"Authorization": f"Bearer {token}"}
    query = {"name": "customs-risk"}
    with server.client("dan") as client:
        client.auth = None
        asked = client.get("/api/2.0/mlflow/registered-models/get", params=query, headers=bearer)
        made = client.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}, headers=bearer)
    assert (asked.status_code, made.status_code) == (200, 200)
    assert {"key": "author", "value": "dan"} in made.json()["run"]["data"]["tags"]
    assert tidewaiter("dan", "token", "revoke", "laptop")[0] == 0
    (row,) = (line for line in tidewaiter("dan", "token", "list")[1].splitlines() if "laptop" in line)
    assert row.split()[-2] == "no"
    code, _, told = tidewaiter("dan", "token", "list", password=token)
    assert (code, told.strip()[:25]) == (1, "This token does not count")


def test_accounts_are_linked_to_the_identity_provider_for_good(tidewaiter):
    there = ("--issuer", "https://login.customs.example")
    assert tidewaiter(ADMINISTRATOR, "users", "link", "rea", "s-1", *there)[:2] == (0, "s-1 signs in as rea.\n")
    assert tidewaiter(ADMINISTRATOR, "users", "link", "ria", "s-1", *there)[:2] == (
        0,
        "s-1 goes on signing in as rea; ria and rea are one person.\n",
    )
    code, _, told = tidewaiter(ADMINISTRATOR, "users", "link", "rea", "s-2")
    assert (code, "sign_on_issuer is empty" in told) == (1, True)


def test_the_audit_tells_attempts_accepted_and_refused(server, tidewaiter):
    assert server.sign("ana", "technical", "approved: finds [more]").status_code == 200
    assert server.sign("dan", "governance", "approved: mine").status_code == 403
    code, said, _ = tidewaiter("aud", "audit", "show", "1", "--json")
    assert code == 0
    told = {(entry["actor"], entry["action"], entry["refusal"] is None) for entry in json.loads(said)}
    assert {("mlflow-server", "open", True), ("ana", "approve", True), ("dan", "approve", False)} <= told
    code, said, _ = tidewaiter("aud", "audit", "show", "1")
    assert code == 0
    (row,) = (line for line in said.splitlines() if " ana " in line)
    for cell in ("risk-analyst", "approve technical", "accepted", "finds [more]", "127.0.0.1"):
        assert cell in row
    # Whole, though a file has no width and a terminal would be 80 wide.
    (row,) = (line for line in said.splitlines() if " dan " in line)
    assert re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", row)
    assert " refused: governance is signed by the role reviewer; dan has data-scientist " in row
    code, _, told = tidewaiter("aud", "audit", "show", "9")
    assert (code, told.strip()) == (1, "the ledger says nothing of version 9")


def test_the_history_is_proven_and_a_head_can_be_kept(tidewaiter, tmp_path):
    head = tmp_path / "head.json"
    code, said, _ = tidewaiter("aud", "audit", "export-head", str(head))
    assert code == 0
    number = json.loads(head.read_text())["number"]
    assert f"row {number}, " in said
    code, said, told = tidewaiter("aud", "audit", "verify", "--head", str(head), "--json")
    assert code == 0, told
    found = json.loads(said)
    assert found["faults"] == []
    assert found["entries"] >= number
    forged = json.loads(head.read_text()) | {"hash": "1" * 64}
    head.write_text(json.dumps(forged))
    code, _, told = tidewaiter("aud", "audit", "verify", "--head", str(head))
    assert code == 1
    assert f"row {number} is not what it was when the head was taken" in told


def test_a_file_that_is_no_head_is_named(tidewaiter, tmp_path):
    file = tmp_path / "other.json"
    file.write_text("{}")
    code, _, told = tidewaiter("aud", "audit", "verify", "--head", str(file))
    assert code == 1
    assert told.startswith(f"{file} is not a head")


def test_its_author_withdraws_a_version_and_nobody_else(server, tidewaiter):
    number = signoff_server.register(server.folder, "withdrawn").version
    server.inspect(number)
    code, _, told = tidewaiter("rea", "withdraw", number, "--reason", "not mine")
    assert (code, "a version is withdrawn by its author: dan, not rea" in told) == (1, True)
    code, said, told = tidewaiter("dan", "withdraw", number, "--reason", "a [column] is wrong")
    assert (code, said, told) == (0, f"Version {number} is withdrawn.\n", "")
    assert server.tags(number)["signoff.technical"] == "withdrawn by dan: a [column] is wrong"
    code, _, told = tidewaiter("dan", "withdraw", "99", "--reason", "there is none")
    assert code == 1
    assert "99" in told


def test_a_rollback_with_nothing_to_go_back_to_is_refused(tidewaiter):
    code, _, told = tidewaiter("rea", "rollback", "--reason", "too many empty hits")
    assert (code, told.strip()) == (1, "there is no earlier champion whose evidence still stands")


class TestCriteria:
    """Two people put a criterion in force, and one ends it."""

    @pytest.fixture(scope="class")
    def data(self, tmp_path_factory):
        """Return the data folder of a small world."""
        folder = tmp_path_factory.mktemp("world")
        source = SimulatorSource(Parameters(rows=2000, months=3, seed=4), folder / "simulated")
        write(source)
        ingest(source, Store(folder / "data" / "simulator"), load().ingestion)
        return folder / "data"

    @pytest.fixture
    def file(self, data, tmp_path, monkeypatch):
        """Return a function that writes the file of a criterion of that name."""
        monkeypatch.setenv("TIDEWAITER_DATA_FOLDER", str(data))
        today = date.today()

        def written(name):
            lines = [f'name = "{name}"', 'lane = "yellow"', "places = 2", f"begins_on = {today}"]
            lines += [f"ends_on = {today + timedelta(days=14)}", "[[conditions]]", 'column = "origin_country"']
            (tmp_path / f"{name}.toml").write_text("\n".join([*lines, 'operator = "in"', 'values = ["CN"]']))
            return f"{name}.toml"

        return written

    def standing(self, tidewaiter, name):
        code, said, told = tidewaiter("aud", "criteria", "list", "--json")
        assert code == 0, told
        return next((each for each in json.loads(said) if each["name"] == name), None)

    def test_what_one_proposes_another_confirms_and_anybody_of_them_withdraws(self, tidewaiter, file):
        code, said, told = tidewaiter("pia", "criteria", "propose", file("from-cn"), "--reason", "a tip")
        assert code == 0, told
        assert "declared items from" in said  # the preview
        assert "from-cn is proposed: another person confirms or refuses it." in said
        assert self.standing(tidewaiter, "from-cn")["state"] == "proposed"
        code, _, told = tidewaiter("pia", "criteria", "confirm", "from-cn", "--reason", "sure")
        assert (code, told.strip()) == (1, "pia proposed from-cn: another person has to confirm it")
        code, said, _ = tidewaiter("pol", "criteria", "confirm", "from-cn", "--reason", "looked at it")
        assert code == 0
        assert "origin_country in CN" in said
        found = self.standing(tidewaiter, "from-cn")
        assert found["state"] == "in force"
        assert [(each["step"], each["by"], each["reason"]) for each in found["steps"]] == [
            ("propose", "pia", "a tip"),
            ("confirm", "pol", "looked at it"),
        ]
        assert found["found"]["placed"] == 0
        code, said, _ = tidewaiter("aud", "criteria", "list")
        assert re.search(r"from-cn .* in force .* yellow .* pia .* pol .* unknown", said)
        assert tidewaiter("pia", "criteria", "withdraw", "from-cn", "--reason", "nothing found")[0] == 0
        assert self.standing(tidewaiter, "from-cn")["state"] == "withdrawn"
        assert tidewaiter("aud", "audit", "verify")[0] == 0

    def test_what_another_refuses_is_refused_and_roles_decide_who_says_so(self, tidewaiter, file):
        code, _, told = tidewaiter("ana", "criteria", "propose", file("by-ana"), "--reason", "x")
        assert (code, told.strip()) == (1, "criteria take the role analyst; ana has risk-analyst")
        assert tidewaiter("pia", "criteria", "propose", file("refused"), "--reason", "x")[0] == 0
        for who, told_so in (("rea", "criteria take the role analyst"), (ADMINISTRATOR, "has no say in criteria")):
            code, _, told = tidewaiter(who, "criteria", "confirm", "refused", "--reason", "x")
            assert code == 1
            assert told_so in told
        assert tidewaiter("pol", "criteria", "refuse", "refused", "--reason", "too wide")[0] == 0
        assert self.standing(tidewaiter, "refused")["state"] == "refused"
        assert self.standing(tidewaiter, "by-ana") is None
        code, _, told = tidewaiter("pol", "criteria", "confirm", "nobody", "--reason", "x")
        assert (code, told.strip()) == (1, "no criterion is named nobody; `tidewaiter criteria list` names all")

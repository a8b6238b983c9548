"""Promotion through a real MLflow server behind the guard."""

import os
import shutil
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from typer.testing import CliRunner

from flows.commands import cli, signoff
from models import policy
from models.ledger import reading
from models.ledger.book import SERVICE
from models.ledger.chain import LedgerError
from models.names import CHAMPION
from models.registry.registry import Registry
from models.signer import asking
from models.signoff import champion, promotion
from tests.support import envelopes, signoff_server
from tests.support.commands import begin
from tests.support.signoff_server import Server

POLICY = policy.load().signoff
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    folder = tmp_path_factory.mktemp("server")
    for data_version in ("abc", "def", "ghi"):
        signoff_server.register(folder, data_version)
    with signoff_server.server(folder) as started:
        signoff_server.add_people(started)
        yield started


@pytest.fixture(autouse=True)
def service(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", SERVICE)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", server.keys.service_password)


@pytest.fixture
def told() -> list[str]:
    return []


def run(server: Server, told: list[str]) -> promotion.Outcome:
    with reading.connect(server.url) as client:
        return promotion.promoter(
            server.url,
            server.keys,
            POLICY,
            client,
            memory_file=server.folder / "promotion.json",
            tell=told.extend,
        ).run()


def signature(server: Server, version: str, folder: Path) -> tuple[int, str]:
    """Return the exit code of the command, and what it says on stderr."""
    given = {"TIDEWAITER_STATE_FOLDER": str(server.folder), "TIDEWAITER_MLFLOW_TRACKING_URI": server.url}
    with patch.dict(os.environ, given), patch.object(signoff, "begin", begin):
        result = CliRunner().invoke(cli.app, ["audit", "signature", version, str(folder)], catch_exceptions=False)
    return result.exit_code, result.stderr


def database(server: Server, statement: str) -> None:
    with closing(sqlite3.connect(server.folder / "mlflow.db")) as opened, opened:
        opened.execute(statement)


def fetch(server: Server, uri: str, folder: Path) -> str | None:
    version = champion.fetch(Registry(uri, (server.folder / "artifacts").as_uri()), server.keys, POLICY, folder)
    return version and version.version


def test_from_signatures_to_champion_and_back(server: Server, told: list[str], tmp_path: Path) -> None:
    """One story, since a server takes half a minute to start."""
    assert run(server, told).words == "nothing to do"
    assert fetch(server, server.url, tmp_path / "none") is None
    server.approve("1")
    assert run(server, told).promoted == (1,)
    assert server.aliases()[CHAMPION] == "1"
    assert fetch(server, server.url, tmp_path / "served") == "1"
    assert fetch(server, server.database_uri, tmp_path / "straight") == "1"
    assert reading.rows(server.url) == reading.rows(server.database_uri)

    server.approve("2")
    assert run(server, told).promoted == (2,)
    assert run(server, told).promoted == ()
    assert (server.aliases()["champion"], server.aliases()["previous"]) == ("2", "1")
    assert told == []

    # Both carry a signature that needs no Tidewaiter, the one that was replaced too; what waits has none.
    evidence = tmp_path / "evidence-2"
    assert signature(server, "2", evidence) == (0, "")
    done = envelopes.verified(evidence, server.keys)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "model/illicit.txt: OK" in done.stdout
    assert signature(server, "2", evidence)[1].endswith("is there already; allowed: a folder that is not there yet\n")
    assert signature(server, "1", tmp_path / "evidence-1") == (0, "")
    assert signature(server, "3", tmp_path / "evidence-3")[1].startswith("only a version that was promoted")
    assert not (tmp_path / "evidence-3").exists()

    database(server, "UPDATE registered_model_aliases SET version = 3 WHERE alias = 'champion'")
    database(
        server, "UPDATE model_version_tags SET value = 'approved by all' WHERE version = 3 AND key LIKE 'signoff%'"
    )
    assert fetch(server, server.database_uri, tmp_path / "moved") == "2", "the alias does not decide"
    run(server, told)
    assert server.aliases()["champion"] == "2"
    assert server.tags("3")["signoff.technical"] == "pending"
    assert sorted(told) == [
        "alias champion was at version 3; by the ledger it belongs to version 2",
        "tag signoff.governance of version 3 was 'approved by all'; by the ledger it is 'pending'",
        "tag signoff.technical of version 3 was 'approved by all'; by the ledger it is 'pending'",
    ]
    told.clear()

    body = {"reason": "misses too much"}
    server.call("rea", "POST", "/api/2.0/tidewaiter/rollback", **body).raise_for_status()
    assert run(server, told).repaired == ("champion is version 1 again", "previous is no version again")
    assert server.aliases()["champion"] == "1"
    assert told == []

    (model, *_) = sorted(
        (server.folder / "artifacts").rglob("model/illicit.txt"), key=lambda file: file.stat().st_mtime
    )
    model.write_text("another booster")
    run(server, told)
    assert told == ["the evidence of version 1 was altered after it was opened: it can never be promoted"]
    with pytest.raises(ValueError, match="the evidence of version 1 was altered"):
        fetch(server, server.url, tmp_path / "altered")


def test_an_account_that_is_not_the_service_moves_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "dan")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", signoff_server.password("dan"))
    with reading.connect(server.url) as client, pytest.raises(RuntimeError, match="403"):
        promotion.Server(client).set_alias(CHAMPION, 3)


def test_a_wrong_password_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        run(server, [])


def test_a_ledger_cut_off_is_told_and_loads_no_champion(server: Server, tmp_path: Path) -> None:
    copy = tmp_path / "mlflow.db"
    shutil.copy(server.folder / "mlflow.db", copy)
    with closing(sqlite3.connect(copy)) as opened, opened:
        opened.execute("DELETE FROM tidewaiter_ledger WHERE number > 5")
    with pytest.raises(LedgerError, match="rows were cut off"):
        reading.signed_book(f"sqlite:///{copy}", server.keys, POLICY)


def test_while_the_signer_is_away_nothing_is_signed_and_everything_is_shown(server: Server) -> None:
    """Killed in the middle of its work: the server says so, and goes on when another takes its place."""
    before = reading.rows(server.database_uri)
    server.signer.kill()
    server.signer.wait()
    try:
        for refused in (
            server.sign("ana", "technical", "approved: sound", "3"),
            server.set_alias("dan", CHAMPION, "3"),
            server.call("admin", "POST", "/api/2.0/mlflow/users/create", username="zed", password="zed-zed-0123456789"),
        ):
            assert refused.status_code == 503
            assert "the ledger's signer is away" in refused.json()["message"]
        assert server.tags("3")["signoff.technical"] == "pending"
        assert reading.rows(server.url) == before
    finally:
        server.signer = signoff_server.signer(server.folder, server.database_uri)
    deadline = time.monotonic() + 60
    while not asking.answers(server.keys.socket_file):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    refused = server.set_alias("dan", CHAMPION, "3")
    assert refused.status_code == 403
    assert len(reading.rows(server.url)) == len(before) + 1

"""A hundred findings with photos are filed without a network, half of the answers are lost, and each is stored once.

A unit is ten of them, by an officer in Chromium, on one server for all units. tests/browser/test_desk.py has four.
"""

import tempfile
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.decisions import DecisionLog
from models.desk import Desk, Officer
from models.policy import Desk as Rules
from tests.support import offline, signoff_server
from tests.support.signoff_server import ADMINISTRATOR, Server
from tests.trials.running import Trial, Unit

FINDINGS, OFFICE = 10, "010"


def _unit(server: Server) -> Mapping[str, Any]:
    uri = f"sqlite:///{server.folder}/decisions.db"
    with closing(DecisionLog(uri)) as log, closing(_desk(server, uri)) as desk:
        offline.declare(log, *["red"] * FINDINGS)
        sent = offline.file_without_network(server, "ola", FINDINGS)
        offline.assert_stored_once(desk, Officer("sue", (OFFICE,), is_supervisor=True), sent)
    return {"findings": len(sent.cases), "answers": 2 * FINDINGS, "answers_lost": FINDINGS, "openings": sent.openings}


def _desk(server: Server, uri: str) -> Desk:
    return Desk(uri, Rules(), bytes(32), server.folder / "photos", lambda: datetime.now(UTC))


@contextmanager
def _opened() -> Generator[Unit]:
    scratch = tempfile.TemporaryDirectory(prefix="tidewaiter-offline-")
    with scratch as folder, signoff_server.server(Path(folder)) as server:
        signoff_server.add_people(server)
        given = {"username": "ola", "offices": [OFFICE]}
        server.call(ADMINISTRATOR, "POST", "/api/2.0/tidewaiter/offices/accounts", **given).raise_for_status()
        yield lambda number: _unit(server)


TRIAL = Trial("findings with photos that wait in a browser, half of the answers lost: each stored once", 10, _opened)

"""People sign while the servers are killed: what was answered is in the ledger once, and what was refused is not."""

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from models import policy
from models.ledger import reading
from models.ledger.chain import Chain, Entry
from tests.support import signoff_server
from tests.support.signoff_server import AJAX, Server
from tests.trials.running import Trial, Unit

# Each signer has a version of their own, so that only a kill can interfere.
SIGNERS = ("ana", "ari", "two")
LONGEST_S = 8.0


def killed(number: int, lives: int = 4, signers: tuple[str, ...] = SIGNERS) -> Mapping[str, Any]:
    """Run servers `lives` times, each but the last until kill -9; AssertionError where the ledger says otherwise.

    The server, the signer or both are killed; `number` draws which, and the moment.
    """
    draw, answers = random.Random(number), {}
    with tempfile.TemporaryDirectory(prefix="tidewaiter-signed-") as scratch:
        folder = Path(scratch)
        for name in signers:
            signoff_server.register(folder, name)
        for life in range(lives):
            with signoff_server.server(folder) as server:
                if life == 0:
                    signoff_server.add_people(server)
                is_last = life == lives - 1
                moment = draw.uniform(0.2, LONGEST_S)
                doomed = () if is_last else draw.choice((("process",), ("signer",), ("process", "signer")))
                _sign_until(server, signers, life, moment, doomed, answers)
        reading.signed_book(server.database_uri, server.keys, policy.load().signoff)
        rows = [entry for entry in _entries(server) if entry.refusal is None]
    kept = Counter(entry.reason for entry in rows if entry.action in ("approve", "revoke"))
    for words, status in answers.items():
        allowed = {200: {1}, None: {0, 1}}.get(status, {0})
        assert kept[words] in allowed, (
            f"unit {number}: {words!r} was answered {status} and is there {kept[words]} times"
        )
    assert set(kept) <= set(answers)
    told = Counter({200: "signed", None: "unanswered"}.get(status, "refused") for status in answers.values())
    return {"kills": lives - 1, **told, "in the ledger": sum(kept.values())}


def _entries(server: Server) -> list[Entry]:
    return list(Chain(server.keys.public_key).extend(reading.rows(server.database_uri)))


def _sign_until(
    server: Server,
    signers: tuple[str, ...],
    life: int,
    seconds: float,
    doomed: tuple[str, ...],
    answers: dict[str, int | None],
) -> None:
    """Let everybody approve and revoke in turn; then kill the doomed, and their children with them."""
    ended = threading.Event()

    def sign(who: str, version: str) -> None:
        turn = 0
        while not ended.is_set():
            word = ("approved", "revoked")[turn % 2]
            reason = f"{who} {life} {turn}"
            body = {
                "name": "customs-risk",
                "version": version,
                "key": "signoff.technical",
                "value": f"{word}: {reason}",
            }
            answers[reason] = None
            try:
                status = client[who].post(f"{AJAX}/model-versions/set-tag", json=body).status_code
            except httpx.HTTPError:
                return
            answers[reason] = None if status >= 500 else status
            turn += 1

    client = {who: server.client(who) for who in signers}
    threads = [threading.Thread(target=sign, args=(who, str(place))) for place, who in enumerate(signers, 1)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    for name in doomed:
        _kill(getattr(server, name).pid)
    ended.set()
    for thread in threads:
        thread.join()
    for each in client.values():
        each.close()


def _kill(pid: int) -> None:
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        each.kill()


@contextmanager
def _opened() -> Generator[Unit]:
    yield killed


TRIAL = Trial("people sign while server and signer are killed: no signature is lost or doubled", 25, _opened)

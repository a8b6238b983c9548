"""Events on their way to an endpoint: from the files of the log, in order, from where the last one was taken.

So an endpoint that is away keeps no run waiting, and gets everything once it is back. If this process is killed between
an answer and noting it, the event goes out again: it has the same run and state, by which a receiver knows it.
"""

import json
from collections.abc import Callable
from datetime import datetime

import httpx

from features.disk import write_atomically
from models.lineage.log import Log

TIMEOUT_S = 10.0
_SENT = "sent.json"  # how many bytes of each file were taken
_NEVER = (400, 413, 422)  # the answers to what would be refused each time


class Refused(RuntimeError):
    """The endpoint does not take events now. The message says why."""


def send(log: Log, url: str, say: Callable[[str], None], transport: httpx.BaseTransport | None = None) -> int:
    """Send the events that were not sent yet to `url`, and return how many were taken; Refused if it does not answer.

    An event that the endpoint would refuse each time is left out, which `say` is told; it stays in its file.
    """
    sent, taken = _sent(log), 0
    headers = {"Content-Type": "application/json"}
    with httpx.Client(transport=transport, timeout=TIMEOUT_S, trust_env=False, headers=headers) as client:
        for file in log.files():
            with file.open("rb") as lines:
                lines.seek(sent.get(file.name, 0))
                for line in lines:
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    if why := _refused(client, url, line):
                        say(f"{file.name}, byte {sent.get(file.name, 0)}: the endpoint refuses this event: {why}")
                    else:
                        taken += 1
                    sent[file.name] = sent.get(file.name, 0) + len(line)
                    _note(log, sent)
    return taken


def waiting_since(log: Log) -> datetime | None:
    """Return when the first event was told that was not sent yet; None if nothing waits."""
    sent = _sent(log)
    for file in log.files():
        with file.open("rb") as lines:
            lines.seek(sent.get(file.name, 0))
            if (line := lines.readline()).endswith(b"\n"):
                return datetime.fromisoformat(json.loads(line)["eventTime"])
    return None


def _refused(client: httpx.Client, url: str, line: bytes) -> str | None:
    """Send one event; return why it would be refused each time, or None if it was taken."""
    try:
        answer = client.post(url, content=line)
    except httpx.TransportError as error:
        raise Refused(f"it does not answer: {type(error).__name__}") from error
    said = f"{answer.status_code} {answer.text[:200]!r}"
    if answer.is_success:
        return None
    if answer.status_code in _NEVER:
        return said
    raise Refused(f"it answers {said}")


def _sent(log: Log) -> dict[str, int]:
    noted = log.folder / _SENT
    return json.loads(noted.read_text()) if noted.exists() else {}


def _note(log: Log, sent: dict[str, int]) -> None:
    write_atomically(log.folder / _SENT, lambda draft: draft.write_text(json.dumps(sent)))

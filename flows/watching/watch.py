"""What the Prefect server watches by itself, runs that fell silent, and the events that people are told of.

What it watches are Prefect automations, which every start of `tidewaiter up` brings up to date by name.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from flows.servers.prefect_api import PAGE
from flows.settings import Settings

MISSED = "tidewaiter.night.missed"
ALARM = "tidewaiter.signoff.alarm"
UNJUDGED = "tidewaiter.drift.unjudged"
NOT_JUDGED = "NotJudged"  # the state of a monitoring run that could not judge everything: it ended, and not well
TAG = "tidewaiter"

Automation = dict[str, Any]

# The events are named after the name of the state, not after its type.
_ENDED = [
    f"prefect.flow-run.{state}" for state in ("Completed", NOT_JUDGED, "Failed", "Cancelled", "Crashed", "TimedOut")
]
_RUNS = {"prefect.resource.id": "prefect.flow-run.*"}


def crash_silent_runs(settings: Settings) -> Automation:
    """Return the automation that marks a run Crashed if it has sent no heartbeat for a while: its process is gone."""
    heartbeat = "prefect.flow-run.heartbeat"
    return {
        "name": "tidewaiter: mark silent runs as crashed",
        "description": f"A run without a heartbeat for {settings.zombie_after_seconds} s has lost its process.",
        "trigger": {
            "type": "event",
            "posture": "Proactive",
            "match": _RUNS,
            "after": [heartbeat],
            "expect": [heartbeat, *_ENDED],
            "for_each": ["prefect.resource.id"],
            "threshold": 1,
            "within": settings.zombie_after_seconds,
        },
        "actions": [
            {
                "type": "change-flow-run-state",
                "state": "CRASHED",
                "message": f"No heartbeat for {settings.zombie_after_seconds} s: the run's process is gone.",
            }
        ],
    }


def apply(client: httpx.Client, automations: Sequence[Automation]) -> None:
    """Make the server's automations of ours exactly these.

    One that has not changed is left alone: what it has counted so far would be lost.
    """
    filter_ours = {"automations": {"tags": {"all_": [TAG]}}, "limit": PAGE}
    existing = {each["name"]: each for each in _checked(client.post("/automations/filter", json=filter_ours)).json()}
    for automation in automations:
        digest = hashlib.sha256(json.dumps(automation, sort_keys=True).encode()).hexdigest()[:12]
        wanted = {**automation, "tags": [TAG, f"version:{digest}"]}
        found = existing.pop(automation["name"], None)
        if found is None:
            _checked(client.post("/automations/", json=wanted))
        elif f"version:{digest}" not in found["tags"]:
            _checked(client.put(f"/automations/{found['id']}", json=wanted))
    for obsolete in existing.values():
        _checked(client.delete(f"/automations/{obsolete['id']}"))


def remove_block(client: httpx.Client) -> None:
    """Take away the block by which an earlier release had Prefect send messages, with the address in it."""
    response = client.get("/block_types/slug/slack-webhook/block_documents/name/tidewaiter")
    if response.status_code != httpx.codes.NOT_FOUND:
        _checked(client.delete(f"/block_documents/{_checked(response).json()['id']}"))


def tell_missed(client: httpx.Client, name: str, due_at: datetime) -> None:
    """Emit the event of a missed night, which Prefect's event feed shows and people are told."""
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": MISSED,
        "resource": {"prefect.resource.id": f"tidewaiter.night.{name}", "prefect.resource.name": name},
        "payload": {"due_at": due_at.isoformat()},
    }
    _checked(client.post("/events", json=[event]))


def _checked(response: httpx.Response) -> httpx.Response:
    return response.raise_for_status()

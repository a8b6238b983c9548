"""What the Prefect server watches by itself: runs that fell silent, and nights that somebody must hear of.

All of these are Prefect automations, which every start of `tidewaiter up` brings up to date by name.
"""

import hashlib
import json
import re
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx

from flows.servers.prefect_api import PAGE, Deployment
from flows.settings import Settings
from flows.watching import nights

MISSED = "tidewaiter.night.missed"
ALARM = "tidewaiter.signoff.alarm"
UNJUDGED = "tidewaiter.drift.unjudged"
NOT_JUDGED = "NotJudged"  # the state of a monitoring run that could not judge everything: it ended, and not well
NIGHT_MARGIN = timedelta(hours=2)
TAG = "tidewaiter"

Automation = dict[str, Any]

# This is the block of Prefect that takes any address that Apprise understands.
_BLOCK_TYPE, _BLOCK = "slack-webhook", "tidewaiter"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S{1,2000}")

# The events are named after the name of the state, not after its type.
_ENDED = [
    f"prefect.flow-run.{state}" for state in ("Completed", NOT_JUDGED, "Failed", "Cancelled", "Crashed", "TimedOut")
]
_RUNS = {"prefect.resource.id": "prefect.flow-run.*"}
_OF_A_RUN = (
    "{{ flow.name }}/{{ deployment.name }}, run {{ flow_run.name }}: {{ flow_run.state.name }}. "
    "{{ flow_run.state.message }} {{ flow_run|ui_url }}"
)


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


def notifications(block_id: str, deployments: Sequence[Deployment], now: datetime) -> list[Automation]:
    """Return the automations that send messages through a block.

    They tell that a run failed, crashed or is late, that a night was missed or never started, and that something is
    elsewhere than the sign-off ledger says.
    """
    failed = ["prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"]
    rare = {"match": _RUNS, "match_related": _flows("retrain", "select", "monitor", "network", "rehearse")}
    # A promotion that fails runs again in a minute: a message for each would bury the others.
    often = {"match": _RUNS, "match_related": _flows("promote"), "threshold": 10, "within": 1800, "for_each": []}
    told = [
        _message("a run failed", _reactive(failed) | rare, block_id, _OF_A_RUN),
        _message("a run is late", _reactive(["prefect.flow-run.Late"]) | rare, block_id, _OF_A_RUN),
        _message("promotion keeps failing", _reactive(failed) | often, block_id, _OF_A_RUN),
        _message(
            "a night was missed",
            _reactive([MISSED]) | {"match": {"prefect.resource.id": "tidewaiter.night.*"}},
            block_id,
            "{{ event.resource.name }} was due at {{ event.payload.due_at }} and did not run. It is caught up now.",
        ),
        _message(
            "monitoring does not judge",
            _reactive([UNJUDGED]) | {"match": {"prefect.resource.id": "tidewaiter.source.*"}},
            block_id,
            "Monitoring of {{ event.payload.source }}: {{ event.payload.said }}",
        ),
        _message(
            "sign-off was circumvented",
            _reactive([ALARM]) | {"match": {"prefect.resource.id": "tidewaiter.*"}},
            block_id,
            "{{ event.payload.alarm }}. `tidewaiter audit verify` tells the whole of it.",
        ),
    ]
    for deployment in deployments:
        if deployment.night is None:
            continue
        # The fires are in UTC, since within one zone the difference is that of the clocks on the wall.
        fires = [fire.astimezone(UTC) for fire in nights.next_fires(deployment.night, now, 10)]
        longest = max(later - earlier for earlier, later in pairwise(fires)) + NIGHT_MARGIN
        trigger = {
            "type": "event",
            "posture": "Proactive",
            "match": _RUNS,
            "match_related": {"prefect.resource.id": f"prefect.deployment.{deployment.id}"},
            "expect": ["prefect.flow-run.Running"],
            "threshold": 1,
            "within": longest.total_seconds(),
        }
        body = f"{deployment.name} has not started for {longest}. Is its schedule in force, and does a worker run?"
        told.append(_message(f"{deployment.name} never started", trigger, block_id, body))
    return told


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


def read_address(settings: Settings) -> str | None:
    """Return the address that is told of bad nights, from the file that the settings name; None if they name none.

    Raises ValueError if the file cannot be read, is open to others, or holds no address; it never repeats what it read.
    """
    file = settings.notification_file
    if file is None:
        return None
    try:
        mode, text = file.stat().st_mode, file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"notification_file: {file} cannot be read ({getattr(error, 'strerror', 'no text')})"
        ) from error
    if mode & 0o077:
        raise ValueError(
            f"notification_file: {file} is open to others (mode {stat.S_IMODE(mode):o}); allowed: mode 600"
        )
    if not _ADDRESS.fullmatch(text):
        raise ValueError(
            f"notification_file: {file} does not hold one address as Apprise writes it, such as mailto://..."
        )
    return text


def ensure_block(client: httpx.Client, address: str | None) -> str | None:
    """Return the id of the block that sends to an address, which is made or updated; delete it without an address."""
    response = client.get(f"/block_types/slug/{_BLOCK_TYPE}/block_documents/name/{_BLOCK}")
    found = None if response.status_code == 404 else _checked(response).json()["id"]
    if address is None:
        if found:
            _checked(client.delete(f"/block_documents/{found}"))
        return None
    data = {"url": address}
    if found:
        _checked(client.patch(f"/block_documents/{found}", json={"data": data, "merge_existing_data": False}))
        return found
    kind = _checked(client.get(f"/block_types/slug/{_BLOCK_TYPE}")).json()["id"]
    asked = {"block_schemas": {"block_type_id": {"any_": [kind]}}}
    schema = _checked(client.post("/block_schemas/filter", json=asked)).json()[0]["id"]
    body = {"name": _BLOCK, "block_type_id": kind, "block_schema_id": schema, "data": data}
    return _checked(client.post("/block_documents/", json=body)).json()["id"]


def tells(client: httpx.Client) -> bool:
    """Whether the server sends messages of bad nights."""
    ours = {"automations": {"tags": {"all_": [TAG]}}, "limit": PAGE}
    found = _checked(client.post("/automations/filter", json=ours)).json()
    return any(action["type"] == "send-notification" for each in found for action in each["actions"])


def tell_missed(client: httpx.Client, name: str, due_at: datetime) -> None:
    """Emit the event of a missed night, which the notifications and Prefect's event feed show."""
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": MISSED,
        "resource": {"prefect.resource.id": f"tidewaiter.night.{name}", "prefect.resource.name": name},
        "payload": {"due_at": due_at.isoformat()},
    }
    _checked(client.post("/events", json=[event]))


def _flows(*names: str) -> dict[str, Any]:
    return {"prefect.resource.role": "flow", "prefect.resource.name": list(names)}


def _reactive(events: list[str]) -> dict[str, Any]:
    return {
        "type": "event",
        "posture": "Reactive",
        "expect": events,
        "for_each": ["prefect.resource.id"],
        "threshold": 1,
        "within": 0,
    }


def _message(what: str, trigger: dict[str, Any], block_id: str, body: str) -> Automation:
    return {
        "name": f"tidewaiter: tell that {what}",
        "description": "Sends a message to the address of the settings.",
        "trigger": trigger,
        "actions": [
            {
                "type": "send-notification",
                "block_document_id": block_id,
                "subject": f"Tidewaiter: {what}",
                "body": body,
            }
        ],
    }


def _checked(response: httpx.Response) -> httpx.Response:
    return response.raise_for_status()

"""Automations see the events of a planned run as soon as the run sends them, and in order."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from prefect.server.events import triggers
from prefect.server.events.ordering import EventArrivedEarly
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.settings import PREFECT_SERVER_EVENTS_CAUSAL_ORDERING, temporary_settings

from flows.servers import event_order

NEVER_TOLD = uuid4()


def event(state: str, follows: UUID, before: str, is_planned: bool = True) -> ReceivedEvent:
    return ReceivedEvent(
        occurred=datetime.now(UTC),
        received=datetime.now(UTC),
        id=uuid4(),
        event=f"prefect.flow-run.{state}",
        resource={"prefect.resource.id": f"prefect.flow-run.{uuid4()}"},
        related=[
            {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"}
            for tag in ("promote", *(["auto-scheduled"] if is_planned else []))
        ],
        payload={"initial_state": {"type": before.upper(), "name": before}},
        follows=follows,
    )


def seen(*events: ReceivedEvent) -> list[str]:
    """What a consumer of the server sees of events, in order."""
    order, handled = event_order.CausalOrdering(scope=str(uuid4())), []

    async def handle(event: ReceivedEvent, depth: int = 0) -> None:
        async with order.preceding_event_confirmed(handle, event, depth):
            handled.append(event.event.rpartition(".")[2])

    async def all_of_them() -> None:
        for each in events:
            with suppress(EventArrivedEarly):
                await handle(each)

    asyncio.run(all_of_them())
    return handled


def test_the_first_event_of_a_planned_run_waits_for_nothing() -> None:
    pending = event("Pending", NEVER_TOLD, "Scheduled")
    completed = event("Completed", pending.id, "Pending")
    assert seen(pending, completed) == ["Pending", "Completed"]


def test_what_follows_is_still_seen_in_its_order() -> None:
    pending = event("Pending", NEVER_TOLD, "Scheduled")
    running = event("Running", pending.id, "Pending")
    assert seen(running, pending) == ["Pending", "Running"]


@pytest.mark.parametrize(("before", "is_planned"), [("Scheduled", False), ("Late", True), ("AwaitingRetry", True)])
def test_what_somebody_tells_of_is_waited_for(before: str, is_planned: bool) -> None:
    assert seen(event("Pending", NEVER_TOLD, before, is_planned)) == []


def test_the_server_takes_it_by_its_setting() -> None:
    with temporary_settings({PREFECT_SERVER_EVENTS_CAUSAL_ORDERING: "flows.servers.event_order"}):
        assert isinstance(triggers.get_triggers_causal_ordering(), event_order.CausalOrdering)

"""The order in which Prefect's automations see events: it is Prefect's own, except for runs that its scheduler planned.

The scheduler emits no event when it plans a run, and yet the run's first event names the planning as the event that it
follows. Prefect's server holds that event back for a quarter of an hour, and with it all that follow. So the failure of
a night would be told that much later, and each run of promote/reconcile, whose end was not seen by then, would be
marked Crashed, with a warning in the log.
"""

from prefect.server.events.ordering import memory
from prefect.server.events.schemas.events import ReceivedEvent

_PLANNED = "prefect.tag.auto-scheduled"


class CausalOrdering(memory.CausalOrdering):
    """The ordering that the setting PREFECT_SERVER_EVENTS_CAUSAL_ORDERING names by its module."""

    async def wait_for_leader(self, event: ReceivedEvent) -> None:
        """Wait for the event that an event follows, unless that is the planning, for which no event is emitted."""
        if not _follows_planning(event):
            await super().wait_for_leader(event)


def _follows_planning(event: ReceivedEvent) -> bool:
    before = event.payload.get("initial_state") or {}
    return before.get("name") == "Scheduled" and any(each.id == _PLANNED for each in event.related)

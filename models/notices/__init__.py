"""Who is told what: events read from what is kept anyway, an outbox of messages about them, and the sending by Apprise.

Nothing has to be called where something changes: events follow from ledger, desk and alarms, and flows adds the runs.

Not here: when it is looked (flows), what Prefect knows of runs (flows), and what people do about it (pages).
"""

from models.notices.alarms import ALARMS, PAST_PROVIDER, PAST_PROVIDER_TO_RUNS, PAST_PROVIDER_TO_WINDOW, Alarms
from models.notices.event import KINDS, OPERATOR, Event, Found, Pages, Source, moment, plain
from models.notices.outbox import Outbox
from models.notices.overdue import Overdue
from models.notices.recipients import FILE, Person, Recipient, Recipients
from models.notices.teller import Teller
from models.notices.versions import Versions

__all__ = [
    "ALARMS",
    "FILE",
    "KINDS",
    "OPERATOR",
    "PAST_PROVIDER",
    "PAST_PROVIDER_TO_RUNS",
    "PAST_PROVIDER_TO_WINDOW",
    "Alarms",
    "Event",
    "Found",
    "Outbox",
    "Overdue",
    "Pages",
    "Person",
    "Recipient",
    "Recipients",
    "Source",
    "Teller",
    "Versions",
    "moment",
    "plain",
    "sending",
    "writing",
]

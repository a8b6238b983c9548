"""The process that tells people: `python -m flows.watching.telling`. `tidewaiter up` runs it if there are recipients.

It is a process of its own because it alone reads the addresses, and what it hears from the internet should not be read
by the process that ends and starts the others.
"""

import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from threading import Event

from flows.processes.children import Program
from flows.servers import mlflow_server, prefect_api
from flows.settings import Settings
from flows.watching import rounds
from flows.watching.runs import Runs
from models import policy
from models.access import Directory, accounts, offices
from models.clock import clock
from models.ledger import Keys, storage
from models.notices import (
    ALARMS,
    FILE,
    OPERATOR,
    PAST_PROVIDER,
    PAST_PROVIDER_TO_RUNS,
    PAST_PROVIDER_TO_WINDOW,
    Alarms,
    Outbox,
    Overdue,
    Pages,
    Person,
    Recipients,
    Teller,
    Versions,
)

EVERY_S = 20.0
RUNS = "runs"  # the source whose place is the time of its last look


def recipients(settings: Settings) -> Recipients:
    """Return who is told, by the file in the state folder; ValueError says what is wrong in it."""
    pages = Pages(settings.public_urls[0] if settings.public_urls else settings.pages_url, settings.prefect_url)
    roles = {OPERATOR, *accounts.grants(policy.load().signoff)} - {accounts.SERVICE_ROLE}
    return Recipients.read(settings.state_folder / FILE, pages, roles)


def strangers(settings: Settings, found: Recipients) -> list[str]:
    """Return the recipients' accounts that there are not, but none before there are any accounts.

    ValueError if the database of accounts does not answer.
    """
    if not accounts.has_administrator(settings.accounts_uri):
        return []
    with closing(Directory(settings.accounts_uri)) as directory:
        return sorted(set(found.accounts) - directory.names())


def program(settings: Settings) -> Program | None:
    """Return the program that `up` runs; None if nobody is to be told anything."""
    if not recipients(settings).everyone:
        return None
    return Program("notices", (sys.executable, "-m", "flows.watching.telling"), {}, lambda: True, umask=0o077)


def teller(settings: Settings, say: Callable[[str], None]) -> Teller:
    """Return what tells the recipients of an installation."""
    keys, signoff = Keys(settings.signoff_folder), policy.load().signoff
    account = mlflow_server.service_account(settings)
    signed_in = (account[mlflow_server.USERNAME], account[mlflow_server.PASSWORD])
    directory, given = Directory(settings.accounts_uri), offices.Offices(settings.accounts_uri)
    outbox = Outbox(settings.decisions_uri)
    outbox.migrate()
    return Teller(
        recipients(settings),
        outbox,
        {
            "versions": Versions(storage.Table(settings.database_uri), keys.public_key, signoff),
            RUNS: Runs(partial(prefect_api.connect, settings.prefect_url, signed_in, EVERY_S)),
            "cases": Overdue(settings.decisions_uri, clock(settings.time_zone or "UTC", settings.played_clock)),
            "window": Alarms(settings.window_folder / ALARMS),
            "sign-on": Alarms(settings.signoff_folder / PAST_PROVIDER, kind="past-provider"),
            "sign-on to runs": Alarms(settings.signoff_folder / PAST_PROVIDER_TO_RUNS, kind="past-provider"),
            "sign-on to window": Alarms(settings.signoff_folder / PAST_PROVIDER_TO_WINDOW, kind="past-provider"),
        },
        lambda name: Person(directory.role_names(name), given.of(name)),
        say,
    )


def run(stopping: Event) -> None:
    """Tell until `stopping` is set."""
    telling: Teller | None = None

    def tell() -> None:
        nonlocal telling
        telling = telling or teller(Settings(), rounds.say)
        telling.round(datetime.now(UTC))

    rounds.run(tell, EVERY_S, "Nobody can be told anything now", stopping)


if __name__ == "__main__":
    run(rounds.asked_to_stop())

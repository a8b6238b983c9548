"""The command `purge`: deletes what the rules of retention.toml no longer keep, and leaves a tombstone for each thing.

It works on what only the user who runs `tidewaiter up` can write: the log of decisions, photos, versions of the data.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flows.commands.terminal import begin, fail, failures, out, show_table
from flows.settings import Settings

if TYPE_CHECKING:
    from models.retention import Rules


@dataclass(frozen=True)
class _Plan:
    """Holds what a rule purges: the day from which each thing is counted, by its name, and how it is deleted."""

    table: str
    days: int
    before: date
    things: Mapping[str, date]
    delete: Callable[[], object]


def purge(
    yes: Annotated[bool, typer.Option("--yes", help="Purge, and do not only show what would be.")] = False,
) -> None:
    """Show what the rules of retention.toml no longer keep; with --yes, delete it, for good, and leave tombstones.

    Decisions, findings and the ledger stay, and so does their chain: a tombstone says by which rule and when a message,
    a photo or a version of the data was purged, and `tidewaiter trace` repeats it.
    """
    settings = begin()
    from models.clock import clock
    from models.database import Unavailable
    from models.retention import FILE, TOMBSTONES, Rules, Tombstones

    today = clock(settings.time_zone or "UTC", settings.played_clock)().date()
    try:
        with failures(), _plans(settings, rules := Rules.read(settings.state_folder / FILE), today) as plans:
            table = Table("table", "kept for, days", "purged, if of before", "things")
            for plan in plans:
                table.add_row(plan.table, str(plan.days), plan.before.isoformat(), f"{len(plan.things):,}")
            show_table(table)
            if not rules.days:
                out.print(f"{settings.state_folder / FILE} has no rule, so nothing is ever purged.", markup=False)
            elif not yes:
                out.print("Nothing was purged. `tidewaiter purge --yes` deletes these things for good.")
            else:
                tombstones = Tombstones(settings.state_folder / TOMBSTONES)
                for plan in plans:
                    tombstones.add(plan.table, plan.things, plan.days, today)
                    plan.delete()
                out.print(f"Purged. {tombstones.file} says of each thing by which rule and when.", markup=False)
    except Unavailable as error:
        fail(str(error))


@contextmanager
def _plans(settings: Settings, rules: "Rules", today: date) -> Generator[list[_Plan]]:
    """Give what each rule would purge today, in the order of the rules; nothing of a window that never was."""
    from features.store import versioning
    from flows.steps import records
    from models.retention import Tombstone

    with records.opened(settings) as (log, desk):

        def plan(table: str, days: int) -> _Plan | None:
            before = today - timedelta(days=days)
            match table:
                case "messages":
                    if log is None:
                        return None
                    head = log.head().number
                    things = log.messages_before(before)
                    return _Plan(table, days, before, things, partial(log.purge, things, head))
                case "photos":
                    if desk is None:
                        return None
                    things = desk.photos.before(before)
                    sentence = Tombstone(table, "", before, days, today, "").sentence
                    return _Plan(table, days, before, things, partial(desk.photos.purge, things, sentence))
            things = _versions(settings, before)
            deleting = partial(versioning.purge, settings.data_folder, things, settings.state_folder)
            return _Plan(table, days, before, things, deleting)

        yield [each for table, days in rules.days.items() if (each := plan(table, days))]


def _versions(settings: Settings, before: date) -> dict[str, date]:
    """Return the versions of the data from before a day that are not in use, and that no version of the model needs.

    Needed are those of the champion, of the one before it, and of whatever waits or may yet be signed.
    """
    from features.store import versioning
    from models.ledger import Keys, lifecycle, reading
    from models.policy import load as load_policy
    from models.workspace import incumbents

    keys = Keys(settings.signoff_folder)
    book = reading.signed_book(settings.tracking_uri, keys, load_policy().signoff) if keys.exist() else None
    ended = lifecycle.State
    done = (ended.SUPERSEDED, ended.REJECTED, ended.WITHDRAWN, ended.VOID)
    needed: set[str] = set()
    for version, models in incumbents.registry_of(settings.places).by_data_version().items():
        states = [book.state(int(model), datetime.now(UTC)) for model in models] if book else []
        is_previous = book is not None and book.previous is not None and str(book.previous) in models
        if not states or is_previous or any(state not in done for state in states):
            needed.add(version)
    spare = versioning.spare(settings.data_folder, settings.state_folder)
    return {version: day for version, day in spare.items() if day < before and version not in needed}

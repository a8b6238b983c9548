"""The commands of what people are told (`notices`), for the user who runs `tidewaiter up`, whose file has addresses."""

from contextlib import closing
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from flows.commands.terminal import EXIT_CODES, USAGE, checked, fail, out, show_table
from flows.settings import Settings
from flows.watching import telling
from models.database import Unavailable
from models.notices import Outbox, Recipients, sending, writing

notices = typer.Typer(no_args_is_help=True, help="What people are told: by whom it is received, and what was sent.")


@notices.command("check", epilog=f"{EXIT_CODES}.")
def notices_check() -> None:
    """Read the file of recipients as `up` does, and show who is told of what; addresses are not shown."""
    settings = checked(Settings)
    found = _read(settings)
    table = Table("recipient", "language", "by", "told of")
    for each in found.everyone:
        table.add_row(each.name, each.language, ", ".join(each.channels), ", ".join(each.kinds))
    show_table(table)
    out.print(f"Messages lead to {found.pages.own} and {found.pages.runs}.", markup=False)
    if strangers := telling.strangers(settings, found):
        fail(f"There is no account {', '.join(strangers)}: nothing would be told there of roles and offices.")


@notices.command("test", epilog=f"{EXIT_CODES}; also 1 if an address was not reached.")
def notices_test(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An account or a role; else everyone.")] = None,
) -> None:
    """Send a trial message to the addresses of everyone, or of one recipient."""
    everyone = _read(checked(Settings)).everyone
    chosen = [each for each in everyone if name in (None, each.account, each.role)]
    if not chosen:
        allowed = ", ".join(sorted({each.account or each.role for each in everyone})) or "none is in the file"
        fail(f"NAME is {name!r}; allowed: {allowed}", USAGE)
    failed = False
    for each in chosen:
        for channel, url in each.channels.items():
            why = sending.send(url, *writing.trial(each.language), key="trial")
            failed = failed or why is not None
            out.print(f"{each.name} by {channel}: {'sent' if why is None else why}", markup=False)
    if failed:
        fail("Not every address was reached.")


@notices.command("list", epilog=f"{EXIT_CODES}.")
def notices_list(
    most: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the latest first.")] = 50,
) -> None:
    """List who was told of what, and when; what has no time of sending waits."""
    try:
        with closing(Outbox(checked(Settings).decisions_uri)) as outbox:
            found = outbox.latest(most)
    except Unavailable as error:
        fail(str(error))
    table = Table("found", "sent", "recipient", "by", "what")
    for each in found:
        table.add_row(_moment(each.put_at), _moment(each.sent_at), each.recipient, each.channel, each.event)
    show_table(table)


def _read(settings: Settings) -> Recipients:
    try:
        return telling.recipients(settings)
    except ValueError as error:
        fail(str(error), USAGE)


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""

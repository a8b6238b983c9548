"""The command that plays days (`play`): it makes who plays, runs the days, and shows the books."""

import json
import sys
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from features.disk import write_atomically
from flows.commands.signoff import signed_in
from flows.commands.terminal import FAILED, AsJson, begin, checked, err, fail, failures, show_table
from flows.commands.window import make_token
from flows.parameters import RetrainParameters
from flows.processes import running
from flows.run_requests import authors
from flows.settings import Settings
from models import policy
from models.access import accounts

if TYPE_CHECKING:
    from flows.play import Books, Cast
    from flows.steps import Summary, Unchanged

_PEOPLE = "played-people.json"


def play(
    days: Annotated[int, typer.Option(min=1, max=60, help="How many days to play.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Play days of the whole installation on simulated declarations, and check that its books balance.

    `tidewaiter up` must run with window_source = "simulator" and a played_clock. Declarations come at their hour,
    simulated officers work at the desk, each night retrains, and reviewers promote a version in the middle. Only for
    trying things out: accounts named play-... are made, and the clock is moved on.
    """
    settings = checked(Settings)
    _require_played(settings)
    with failures():
        by = authors.of_command(settings)
        cast = cast_of(settings)
    settings = begin()
    from flows.play import Books, Play, Unanswered, count_open
    from flows.progress import on_terminal
    from flows.retrain import retrain
    from models.decisions import DecisionLog
    from models.workspace import Workspace

    rules = policy.load()
    workspace = Workspace(settings.places, rules, str(settings.window_source))
    parameters = RetrainParameters(requested_by=by)

    def night() -> "Summary | Unchanged":
        with on_terminal(err):
            return retrain(parameters)

    with failures(), closing(DecisionLog(settings.decisions_uri)) as log:
        first = _first_day(workspace.store.days(), [day for day, _, _ in log.days() if any(log.of_day(day))])
        played = Play(settings, workspace, rules, cast, first, days, night, _say)
        open_before = count_open(played, log)
        try:
            played.run()
        except Unanswered as error:
            fail(str(error))
        books = Books.of(played, log, open_before)
    if as_json:
        sys.stdout.write(json.dumps(books.as_json(), indent=2) + "\n")
    else:
        show(books)
    if not books.balance:
        raise typer.Exit(FAILED)


def _say(text: str) -> None:
    err.print(text, markup=False)


def _require_played(settings: Settings) -> None:
    """End the command unless everything runs by a played clock."""
    up = running.find(settings.state_folder)
    if settings.played_clock is None or settings.window_source != "simulator":
        fail('days are played where window_source is "simulator" and played_clock names a file; see docs/play.md')
    if up is None or not up.is_ready:
        fail("days are played while `tidewaiter up` runs, with these settings")


def _first_day(stored: list[date], decided: list[date]) -> date:
    """Return the first day that is neither stored nor begun at the window."""
    if not stored:
        raise ValueError("no simulated world is stored; allowed: one that `tidewaiter retrain` has made")
    return max([stored[-1], *decided]) + timedelta(days=1)


def cast_of(settings: Settings) -> "Cast":
    """Return who plays, with accounts and a token that are made if they are missing, by the administrator."""
    from features.store import Store
    from flows.play import OFFICERS, PEOPLE, SYSTEM, Cast

    file = settings.state_folder / _PEOPLE
    if not file.exists():
        declared = Store(settings.places.store(str(settings.window_source))).scan("declarations")
        offices = sorted(declared.select("office").unique().collect()["office"])
        with signed_in() as server:
            made = {each: server.add(each, (role,)) for each, role in PEOPLE.items()}
            for place, each in enumerate(OFFICERS):
                # Two officers in each half of the offices, so that there is somebody else for a second look.
                server.give_offices(each, offices[place // 2 :: 2])
        made[SYSTEM] = make_token(SYSTEM, accounts.SYSTEM)
        write_atomically(file, lambda draft: _write(draft, json.dumps(made)))
    passwords = json.loads(file.read_text())
    return Cast(settings.mlflow_url, settings.window_url, passwords, passwords[SYSTEM])


def _write(draft: Path, text: str) -> None:
    draft.touch(0o600)
    draft.write_text(text)


def show(books: "Books") -> None:
    """Print the sums, and what else was counted, as tables."""
    table = Table("what", "left", "right", "")
    for each in books.sums:
        table.add_row(each.what, f"{each.left:,}", f"{each.right:,}", "" if each.balances else "DIFFERS")
    show_table(table)
    told = Table("besides", "")
    for name, value in books.told.items():
        told.add_row(name, json.dumps(value) if not isinstance(value, str) else value)
    show_table(told)

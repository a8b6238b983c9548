"""The command that makes a simulated house and runs it (`demo`): what there is to do until it is ready, in order."""

import os
import re
import signal
import time
from datetime import UTC, date, datetime
from datetime import time as day_time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from flows.commands import play
from flows.commands.people import desk
from flows.commands.terminal import INTERRUPTED, checked, err, fail, failures, out
from flows.host import look
from flows.processes import AlreadyRunningError, ChildError
from flows.servers import mlflow_server
from flows.settings import Settings
from models.access.accounts import ADMINISTRATOR_ACCOUNT

if TYPE_CHECKING:
    from flows.demo import House, Made

_ROWS, _MONTHS = 120_000, 7  # the first of the month after it is a Tuesday
_MOST_DAYS = 5  # that are played until a night brings a version that passes its gates
_UNTIL = day_time(11)  # of the morning on which the visitor comes
_PASSWORD = re.compile(r"its password (\S+)")
_AT_THE_DESK = ("officer", "supervisor")


def demo() -> None:
    """Make a simulated house to look around in, and run it until Ctrl-C; the second time, go on with it.

    It has a state folder of its own, .tidewaiter-demo, and listens on this machine only: months of simulated
    declarations, a champion, a version that waits for signatures, people with passwords, open cases at the desk, a
    network of companies. Everything in it is made by the commands that it names. It takes minutes.
    """
    from flows.demo import move_in

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.default_int_handler)
    with failures():
        house = move_in(Path.cwd())
    settings = checked(Settings)
    try:
        with failures():
            _live(house, settings)
    except (AlreadyRunningError, ChildError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        if house.made is None:
            _say("Stopped before the world was ready: the next start makes it anew.")
            raise typer.Exit(INTERRUPTED) from None
        house.sleep(settings.time_zone or "UTC")
        _say("Stopped. Nothing is left running; `make demo` goes on from here.")


def _live(house: "House", settings: Settings) -> None:
    """Make the world if there is none, and run it until KeyboardInterrupt; ChildError if a command fails."""
    from flows.demo import up, welcome

    began = time.monotonic()
    house.refuse_second()
    made = house.made
    if made is None:
        _say("A world is made, once: simulated traders, goods and officers. This takes some minutes.")
        house.begin(datetime.combine(_world_end(), day_time()))
        settings.logs_folder.mkdir()
        _command(settings, "retrain", "--rows", str(_ROWS), "--months", str(_MONTHS))
    else:
        house.wake()
    _say("$ tidewaiter up")
    with up(settings.logs_folder / "up.out", house.folder, os.environ) as servers:
        if made is None:
            made = _furnish(house, settings)
        text = welcome(settings.mlflow_url, made.passwords, str(settings.window_source), made.company)
        out.print(text, markup=False)
        minutes, seconds = divmod(round(time.monotonic() - began), 60)
        _say(f"({minutes} min {seconds} s after the start)")
        code = servers.wait()
    raise ChildError(f"`tidewaiter up` ended with code {code}: see {settings.logs_folder}")


def _furnish(house: "House", settings: Settings) -> "Made":
    """Make, while the servers run, what a visitor finds there; return what was noted of it."""
    from features.simulator import Parameters
    from features.store import Store
    from flows.demo import PEOPLE, Made, successor, until_opened, waits
    from flows.play import morning

    found = _PASSWORD.search((settings.logs_folder / "up.out").read_text())
    if found is None:
        raise ChildError(f"`tidewaiter up` has not told the administrator's password: see {settings.logs_folder}")
    source, password = str(settings.window_source), found[1]
    for _ in range(_MOST_DAYS):
        account = {mlflow_server.USERNAME: ADMINISTRATOR_ACCOUNT, mlflow_server.PASSWORD: password}
        _command(settings, "play", "--days", "1", **account)
        models = look(settings, Path.cwd(), datetime.now(UTC)).models
        if waits(models):
            break
    else:
        raise ChildError(f"no version waits after {_MOST_DAYS} days: see which gates failed above")
    _command(settings, "network")
    _say("$ tidewaiter users add ...: " + ", ".join(f"{name} ({role})" for name, role in PEOPLE.items()))
    offices = Store(settings.places.store(source)).scan("declarations").select("office").unique().collect()["office"]
    with desk(settings.mlflow_url, ADMINISTRATOR_ACCOUNT, password) as server:
        passwords = {name: server.add(name, (role,)) for name, role in PEOPLE.items()}
        for name in (name for name, role in PEOPLE.items() if role in _AT_THE_DESK):
            server.give_offices(name, offices.sort().to_list())
    until_opened(settings.places, models["challenger"])
    count = morning(settings, Parameters(rows=_ROWS, months=_MONTHS), play.cast_of(settings), _UNTIL)
    _say(f"This morning {count} versions were declared at the window; what it put into lanes waits at the desk.")
    made = Made(passwords=passwords, company=successor(settings.places.networks / source))
    house.note(made)
    return made


def _world_end() -> date:
    from features.simulator import Parameters

    return Parameters(rows=_ROWS, months=_MONTHS).first_days()[-1]


def _command(settings: Settings, *words: str, **environment: str) -> None:
    from flows.demo import run

    _say(f"$ tidewaiter {' '.join(words)}")
    run(settings.logs_folder / "demo.log", words, os.environ | environment)


def _say(text: str) -> None:
    err.print(text, markup=False)

"""The window's process: `uvicorn --factory models.window.service:create_app`, with one worker, which alone decides.

Its settings come from the environment, since `tidewaiter up` starts it. It is ready as soon as it knows what was
decided before; the ground is made beside it, and until there is one, whoever asks is told to ask again.
"""

import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, datetime, time
from functools import cache, partial
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.types import ASGIApp

from features import messages
from models import policy, spans
from models.access import BreakGlass, Directory, Entrance, Guesses, Lives, Names, PersonalTokens
from models.access.tokens import Tokens
from models.clock import clock
from models.decisions import DecisionLog, Head, Spool, Unavailable
from models.desk import exports
from models.ledger import Entry, Keys, LedgerError, storage
from models.notices import ALARMS, PAST_PROVIDER_TO_WINDOW, Alarms
from models.places import Places
from models.signer import asking
from models.window.app import Window
from models.window.deciding import Decider
from models.window.keeping import Keeper
from models.window.sealing import EVERY_S, seal
from models.window.secrets import Secrets


class WindowSettings(BaseSettings):
    """The settings of the window, read from WINDOW_SOURCE, WINDOW_DATA and so on."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="WINDOW_")

    source: str = Field(description="whose declarations it answers: what was known of them before")
    data: Path = Field(description="the declarations; see models/places.py, as for the next four")
    state: Path
    signoff: Path
    tracking_uri: str
    artifact_root: str
    accounts_uri: str = Field(description="where accounts and tokens are")
    decisions_uri: str = Field(description="the database of decisions")
    tables: Path | None = Field(None, description="the folder of customs' own tables; see features/messages/tables.py")
    public_urls: tuple[str, ...] = Field((), description="where a proxy serves this server")
    is_one_sign_on: bool = Field(False, description="whether people sign in at the house's identity provider")
    time_zone: str = Field("UTC", description="IANA zone of the administration's legal time")
    played_clock: Path | None = Field(None, description="the file that says what time it is on played days")
    traces_url: str | None = Field(None, description="the receiver of OTLP that gets traces; none are made without it")


def create_app() -> ASGIApp:
    """Return the application that uvicorn serves."""
    settings = WindowSettings()
    spans.begin(settings.traces_url, "tidewaiter-window")
    places = Places(settings.data, settings.state, settings.signoff, settings.tracking_uri, settings.artifact_root)
    keys, signoff = Keys(settings.signoff), policy.load().signoff
    now = clock(settings.time_zone, settings.played_clock)

    folder = settings.state / "window"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = DecisionLog(settings.decisions_uri)
    secrets = Secrets(keys.secret_folder / "days")
    spool = Spool(folder / "spool.jsonl")
    desk = cache(partial(exports.opened, settings.decisions_uri))  # when it is needed: the database may be away now

    def hand_over_findings(folder: Path, day: date) -> None:
        midnight = datetime.combine(day, time(), now().tzinfo)
        exports.hand_over(desk(), folder, midnight)
        exports.hand_over_second_looks(desk(), folder, midnight)

    alarm = Alarms(folder / ALARMS)
    keeper = Keeper(places, settings.source, log, spool, secrets, now, alarm, hand_over_findings)
    decider = Decider(log, spool, keeper.ground, keeper.without_model)
    table = storage.Table(settings.tracking_uri)
    ledger = asking.AskedLedger(table, keys.public_key, keys.head_file, signoff, keys.socket_file)

    def note(entry: Entry) -> None:
        with ledger.writing() as writer:
            writer.append(entry)

    ending = threading.Event()

    def keep_sealed() -> None:
        last = Head()
        while not ending.wait(EVERY_S):
            try:
                last = seal(log, ledger, last)
            except (Unavailable, storage.NotSigned, LedgerError, SQLAlchemyError) as error:
                alarm(f"decisions could not be sealed: {error}")

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncGenerator[None]:
        decider.start()
        keeper.start(decider.has_read)
        threading.Thread(target=keep_sealed, name="sealer", daemon=True).start()
        yield
        ending.set()
        keeper.stop()
        decider.stop()

    directory = Directory(settings.accounts_uri)
    own = PersonalTokens(settings.accounts_uri, Lives.of(policy.load().sign_on, settings.is_one_sign_on))
    names = Names(settings.public_urls)
    past = BreakGlass("the window", Alarms(settings.signoff / PAST_PROVIDER_TO_WINDOW), note)
    guesses = Guesses(directory.names, note)
    entrance = Entrance(directory, names, guesses, tokens=own, is_one_sign_on=settings.is_one_sign_on, past=past)
    tables = messages.Tables.of(settings.tables) if settings.tables else None
    window = Window(decider, log, Tokens(settings.accounts_uri), entrance, now, note, tables, running)
    return spans.around(window.app())

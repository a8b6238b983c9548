"""Prefect's server behind the guard; `tidewaiter up` starts it as the program "prefect", in place of Prefect's own.

    uvicorn --factory flows.prefect_app:create_app

Prefect's application does all that it does under `prefect server start`: it migrates its database and runs its services
(scheduler, automations, late runs, recorders). The rules are in models/runs; this module joins the two into one server.

People sign in with the name and password of their account: in the browser, or on the command line by
`PREFECT_API_AUTH_STRING=name:...`. The worker and its runs have the service account in the same variable, which a
Kubernetes job takes from a secret. `up` and MLflow's server have names of their own and passwords that are new at each
start; this process gets them by `GUARD_UP_PASSWORD` and `GUARD_TELLER_PASSWORD`.
"""

from pathlib import Path
from typing import Any

from prefect.server.api import server
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import set_database_config
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp

from flows.run_requests import forms
from flows.servers import one_sign_on
from flows.settings import Settings
from models import policy, spans
from models.access import BreakGlass, Directory, Entrance, Identities, Lives, Names, PersonalTokens, accounts
from models.notices import PAST_PROVIDER_TO_RUNS, Alarms
from models.runs import Rules, guard
from models.single_sign_on import COOKIE_OF_RUNS, Ends, Provider, Sessions, SignOn, entered


class Passwords(BaseSettings):
    """The passwords of `up` and of the teller, from GUARD_UP_PASSWORD and GUARD_TELLER_PASSWORD."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="GUARD_")

    up_password: str = Field(min_length=20)
    teller_password: str = Field(min_length=20)


class OneWriter(AioSqliteConfiguration):
    """A SQLite configuration in which a transaction takes its turn to write when it begins.

    In Prefect's own configuration a transaction begins by reading. If another has written since, SQLite refuses its
    first write at once, and a person who presses Run reads 'database is locked'.
    """

    def begin_transaction(self, session: AsyncSession, with_for_update: bool = False) -> Any:  # noqa: ANN401  Prefect's
        return super().begin_transaction(session, with_for_update=True)


def create_app() -> ASGIApp:
    """Return the application that uvicorn serves."""
    settings, passwords = Settings(), Passwords()
    spans.begin(settings.traces_url, "tidewaiter-prefect")
    address = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if address.startswith("sqlite"):
        set_database_config(OneWriter(connection_url=address))
    inner = server.create_app(final=True)
    own = {accounts.UP: passwords.up_password, accounts.TELLER: passwords.teller_password}
    directory, names = Directory(settings.accounts_uri, own), Names(settings.public_urls)
    tokens = PersonalTokens(settings.accounts_uri, Lives.of(policy.load().sign_on, settings.is_one_sign_on))
    sign_on = _sign_on(settings, directory) if settings.is_one_sign_on else None
    past = BreakGlass("Prefect", Alarms(settings.signoff_folder / PAST_PROVIDER_TO_RUNS))
    entrance = Entrance(
        directory, names, tokens=tokens, sessions=sign_on, is_one_sign_on=settings.is_one_sign_on, past=past
    )
    rules = Rules(forms.of(settings, Path.cwd()), guard.look_into(inner))
    return spans.around(guard.Guard(inner, entrance, rules, sign_on))


def _sign_on(settings: Settings, directory: Directory) -> SignOn:
    """Return one sign-on at the house's identity provider, for people who have an account already."""
    in_force, identities = policy.load(), Identities(settings.accounts_uri)
    return SignOn(
        Provider(one_sign_on.client(settings), in_force.sign_on.groups_claim),
        Sessions(Ends.of(in_force.sign_on)),
        Names(settings.public_urls),
        lambda confirmed, address: entered(confirmed, identities, in_force),
        directory.known,
        COOKIE_OF_RUNS,
    )

"""The commands of the window: tokens for machines (`tokens`), and proof of what it has decided (`window`)."""

import json
import os
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer
from rich.table import Table

from flows.commands.signoff import keys_of, reading_ledger
from flows.commands.terminal import EXIT_CODES, PURGED, AsJson, begin, checked, fail, out, show_table
from flows.settings import Settings
from models.access import accounts

if TYPE_CHECKING:
    from features.matrix import Morning
    from models.decisions import DecisionLog
    from models.dossier import Incumbent
    from models.window.replaying import Replayed

_TIMEOUT_S = 60.0

tokens = typer.Typer(no_args_is_help=True, help="Tokens of the machines that ask the window; for its administrator.")
window = typer.Typer(no_args_is_help=True, help="What the window has decided, and proof that it stands as it was.")


@tokens.command("add", epilog=f"{EXIT_CODES}.")
def tokens_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As decisions will name the machine.")],
    role: Annotated[str, typer.Option("--role", help=f"What it may be told: {' or '.join(accounts.MACHINES)}.")],
) -> None:
    """Make a token for a machine, and show it, once."""
    out.print(f"{name} asks the window with the token {make_token(name, role)}", markup=False)
    out.print("It is shown this once and kept nowhere: hand it over now.")


@tokens.command("list", epilog=f"{EXIT_CODES}.")
def tokens_list(as_json: AsJson = False) -> None:
    """Every machine that has or had a token."""
    found = _ask("GET", "tokens")["machines"]
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    table = Table("machine", "role", "made", "by", "revoked")
    for each in found:
        table.add_row(each["name"], each["role"], each["made_at"], each["made_by"], each["revoked_at"] or "")
    show_table(table)


@tokens.command("revoke", epilog=f"{EXIT_CODES}.")
def tokens_revoke(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Revoke a machine's token; what it was answered stays."""
    _ask("DELETE", f"tokens/{name}")
    out.print(f"{name} is told nothing any more.", markup=False)


@window.command("verify", epilog=f"{EXIT_CODES}.")
def window_verify() -> None:
    """Check that no decision was changed, added or taken away since it was made, by the log and the ledger's seals."""
    from models.decisions import BrokenChain, DecisionLog, Unavailable
    from models.signoff import audit
    from models.window import sealing

    settings = begin()
    with closing(DecisionLog(settings.decisions_uri)) as log, reading_ledger():
        try:
            head = sealing.verified(log, audit.entries(settings.tracking_uri, keys_of(settings)))
        except (BrokenChain, Unavailable) as error:
            fail(str(error))
    out.print(f"{head.number:,} decisions are as they were made; the last one has the hash {head.hash[:12]}.")


@window.command("replay", epilog=f"{EXIT_CODES}.")
def window_replay(decision: Annotated[str, typer.Argument(metavar="DECISION", help="Its id.")]) -> None:
    """Make a decision again from what was stored with it, and compare to the last bit."""
    from mlflow.exceptions import MlflowException

    from models.decisions import DecisionLog, Unavailable
    from models.retention import Gone

    settings = begin()
    with closing(DecisionLog(settings.decisions_uri)) as log:
        try:
            found = Replays(settings, log).again(decision)
        except Gone as error:
            fail(str(error), PURGED)
        except (LookupError, Unavailable, MlflowException, OSError, ValueError) as error:
            fail(str(error))
    for note in found.notes:
        out.print(f"Note: {note}.", markup=False)
    if found.differences:
        fail(f"{decision} comes out otherwise: {', '.join(found.differences)}")
    out.print(f"{decision} comes out the same, to the last bit: {found.stored.lane}.", markup=False)


class Replays:
    """Makes decisions of a log again; each model is read once, and each morning made once."""

    def __init__(self, settings: Settings, log: "DecisionLog") -> None:
        self._settings, self._log = settings, log
        self._model, self._morning = cache(self._read_model), cache(self._make_morning)

    def again(self, decision_id: str) -> "Replayed":
        """Make a decision again from what is stored with it, and with today's data if they tell its morning.

        Raises Gone where its message was purged; LookupError, MlflowException, OSError or ValueError where something
        else that it was made from is not there.
        """
        from models.ledger import Keys
        from models.retention import TOMBSTONES, Gone, Tombstones
        from models.window import replaying
        from models.window.secrets import Secrets

        stored = self._log.decision(decision_id)
        if stored and self._log.document(stored.message) is None:
            tombstones = Tombstones(self._settings.state_folder / TOMBSTONES)
            if gone := tombstones.find("messages", stored.message, stored.day):
                raise Gone(f"the message of {decision_id} was {gone.sentence}")

        secrets = Secrets(Keys(self._settings.signoff_folder).secret_folder / "days")
        return replaying.replay(
            self._log,
            decision_id,
            lambda day: secrets.read(day, self._log),
            self._model,
            lambda decision: self._morning(decision.day, decision.policy_digest),
        )

    def _read_model(self, version: str) -> "Incumbent":
        from models.workspace import incumbents

        with TemporaryDirectory(prefix="tidewaiter-") as scratch:
            return incumbents.registered(self._settings.places, version, Path(scratch))

    def _make_morning(self, day: date, policy_digest: str) -> "Morning | None":
        from models.policy import parse
        from models.workspace import Workspace

        written, source = self._log.document(policy_digest), self._settings.window_source
        if source is None or written is None:
            return None
        return Workspace(self._settings.places, parse(written.content), source).morning(day)


def make_token(name: str, role: str) -> str:
    """Return a token for a machine, which the administrator makes; the command ends if the window refuses."""
    return _ask("POST", "tokens", {"name": name, "role": role})["token"]


def _ask(method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    """Ask the window as an administrator; it ends with a sentence if the window refuses or does not answer."""
    settings = checked(Settings)
    with _as_administrator(settings) as client:
        try:
            answer = client.request(method, f"/window/{path}", json=body)
        except httpx.TransportError as error:
            what_to_do = "set window_source and start `tidewaiter up`"
            fail(f"the window at {settings.window_url} does not answer: {what_to_do} ({error})")
    if answer.is_error:
        fail(answer.json()["error"] if "json" in answer.headers.get("Content-Type", "") else answer.text[:200])
    return answer.json()


@contextmanager
def _as_administrator(settings: Settings) -> Generator[httpx.Client]:
    name = os.environ.get("MLFLOW_TRACKING_USERNAME") or typer.prompt("Name", err=True)
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or typer.prompt("Password", hide_input=True, err=True)
    asking = httpx.Client(base_url=settings.window_url, auth=(name, password), timeout=_TIMEOUT_S, trust_env=False)
    with asking as client:
        yield client

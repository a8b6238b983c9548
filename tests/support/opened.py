"""A small world with a champion, and the grounds of its last day: what the window's tests decide on."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import sqlalchemy as sa
from werkzeug.security import generate_password_hash

from features.contract import schema
from features.ingestion.batches import ingest
from features.matrix import CATALOGUE, cache
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource, write
from models import policy
from models.dossier import Incumbent
from models.places import Places
from models.risk import RiskModel
from models.training import train
from models.window import making
from models.window.answering import Asked
from models.window.ground import Ground
from models.workspace import Workspace

SECRET = bytes(range(32))


@dataclass(frozen=True)
class Opened:
    """A world on its last day: the declarations of that day are not known to the grounds."""

    workspace: Workspace
    built: cache.Built
    day: date
    champion: Incumbent
    declared: pl.DataFrame

    def ground(self, secret: bytes = SECRET, shadows: tuple[Incumbent, ...] = ()) -> Ground:
        """Return the ground on which the champion is asked."""
        morning = self.workspace.morning(self.day)
        return making.scored(self.workspace, self.built, morning, self.champion, shadows, secret)

    def profile(self, why: str = "no model is in force") -> Ground:
        """Return the ground on which the risk profile is asked."""
        morning = self.workspace.morning(self.day)
        return making.by_profile(self.workspace, self.built, morning, self.champion.policy, SECRET, why)

    def on(self, day: date) -> "Opened":
        """Return the world on another day, with the same champion."""
        return replace(self, day=day, declared=_declared(self.workspace, day))

    def asked(self, place: int, language: str = "en", **changed: object) -> Asked:
        """Return a declaration of the day, by its place in their order, perhaps with some columns changed."""
        name = self.declared["declaration_id"].unique(maintain_order=True)[place]
        rows = self.declared.filter(pl.col("declaration_id") == name).sort("item_number")
        rows = rows.with_columns(
            pl.lit(value).cast(rows.schema[column]).alias(column) for column, value in changed.items()
        )
        return Asked(rows, f"{place:064x}", "system", language, received_at(rows))


def received_at(rows: pl.DataFrame) -> datetime:
    """Return the instant at which rows were accepted, in a zone."""
    return rows["accepted_at"][0].replace(tzinfo=UTC)


def message(rows: pl.DataFrame) -> bytes:
    """Return what a declarant's message about rows looks like."""
    items = [
        {k: v for k, v in row.items() if v is not None} for row in rows.drop("accepted_at", "recorded_at").to_dicts()
    ]
    shared = {"declaration_id": items[0]["declaration_id"]}
    return json.dumps(
        {**shared, "items": [{k: v for k, v in each.items() if k not in shared} for each in items]}
    ).encode()


def opened(folder: Path, rows: int = 4000, months: int = 6, seed: int = 4) -> Opened:
    """Make the world in `folder`: its champion learned from all but the last weeks, and offices have few places."""
    places = Places(folder / "data", folder / "state", folder / "signoff", "", "")
    written = policy.load()
    source = SimulatorSource(Parameters(rows=rows, months=months, seed=seed), folder / "simulated")
    write(source)
    store = Workspace(places, written, "simulator").store
    ingest(source, store, written.ingestion)
    offices = store.scan("declarations").select("office").unique().collect()["office"]
    own = "".join(f'"{office}" = {{red = 2, yellow = 2, blue = 1}}\n' for office in sorted(offices))
    rules = policy.parse(written.written.replace(b"\n[targeting.offices]", f"\n[targeting.offices]\n{own}#".encode()))
    workspace = Workspace(places, rules, "simulator")
    built = workspace.features()
    day = workspace.store.days()[-1]
    labelled = workspace.dataset(built).filter(pl.col("is_illicit").is_not_null()).collect().sort("accepted_at")
    begins = datetime.combine(day - timedelta(days=40), datetime.min.time())
    learned = labelled.filter(pl.col("accepted_at") < begins)
    middle = learned.height * 2 // 3
    model: RiskModel = train(learned[:middle], learned[middle:], CATALOGUE, _TRAINING, rules.targeting)
    champion = Incumbent("3", "champion", "simulator", None, model, None, rules)  # ty: ignore[invalid-argument-type]
    return Opened(workspace, built, day, champion, _declared(workspace, day))


def _declared(workspace: Workspace, day: date) -> pl.DataFrame:
    rows = workspace.store.scan("declarations", day, day).select(schema("declarations").names()).collect()
    return rows.sort("accepted_at", "declaration_id", "item_number")


_TRAINING = policy.load().training.model_copy(update={"max_rounds": 40, "early_stopping_rounds": 10})


def accounts(uri: str) -> str:
    """Make the tables of MLflow's accounts that are read here, with an administrator, `admin`, and `ann`; return `uri`.

    Their passwords are admin's and ann's.
    """
    engine = sa.create_engine(uri)
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE users (id INTEGER, username TEXT, password_hash TEXT, is_admin BOOLEAN)",
            "CREATE TABLE roles (id INTEGER, name TEXT)",
            "CREATE TABLE user_role_assignments (user_id INTEGER, role_id INTEGER)",
        ):
            connection.exec_driver_sql(statement)
        for number, name in ((1, "admin"), (2, "ann")):
            row = {"id": number, "name": name, "hash": generate_password_hash(f"{name}'s"), "admin": number == 1}
            connection.execute(sa.text("INSERT INTO users VALUES (:id, :name, :hash, :admin)"), row)
    engine.dispose()
    return uri

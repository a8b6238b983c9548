"""What earlier code left behind, kept as it was: models, evidence and a ledger with which today's code goes on.

`python -m tests.support.earlier` writes such a state with the code as it stands into earlier/. It is an archive of a
state folder with a champion that three people signed, with what that code computed of a small world, and a note of
which code it was. It is made before something large changes, and never made again, because a state that today's code
made shows nothing.
"""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from features.code_digest import code_version
from features.contract import KEY
from features.ingestion.batches import ingest
from features.matrix import cache
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource
from features.store.store import Store
from models import policy
from models.evidence import seal
from models.ledger.book import SERVICE
from models.ledger.chain import Entry
from models.ledger.keys import Keys
from models.ledger.storage import Ledger, Table, now
from models.names import CHAMPION, MODEL, SIGNOFF
from models.risk.risk_model import OUTPUTS
from tests.support import candidates
from tests.support.signing import AUTHOR, POLICY, ROLES

FOLDER = Path(__file__).with_name("earlier")
WORLD = Parameters(rows=4000, months=5, seed=11)
LAST_DAYS = 10  # features and scores of so many last days of the world are kept
SIGNERS = (("ann", "technical"), ("bob", "governance"), ("cid", "governance"))
_ROOT = "/srv/tidewaiter/earlier"  # in MLflow's database this stands for the place of the state, wherever that is
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def unpack(name: str, state: Path) -> dict[str, Any]:
    """Lay out the state folder of that name in `state`, and return what was written down beside it."""
    shutil.unpack_archive(FOLDER / f"{name}.tar.xz", state, filter="data")
    _move(state / "mlflow.db", _ROOT, str(state))
    return json.loads((FOLDER / f"{name}.json").read_text())


def ingested(folder: Path) -> Store:
    """Return the small world as a store."""
    source = SimulatorSource(WORLD, folder / "simulated")
    store = Store(folder / "data" / "simulator")
    limits = policy.load().ingestion
    ingest(source, store, limits, arrived_on=date.max, world=WORLD.model_dump(mode="json"))
    return store


def last_days(store: Store, folder: Path) -> pl.DataFrame:
    """Return the identity and all features of the last days, as today's code computes them."""
    built = cache.build(store, policy.load().features.label_delay_days, folder)
    since = store.days()[-LAST_DAYS]
    return built.scan().filter(pl.col("accepted_at").dt.date() >= since).sort(KEY).collect()


def _move(database: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column in _PLACES:
            connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))


def _promoted(state: Path, scratch: Path) -> None:
    """Make a state folder with one champion, as the server and the flow `promote` leave it."""
    registry = candidates.open_registry(state)
    digest = registry.register(candidates.candidate(candidates.evidence_folder(scratch / "evidence"))).digest
    keys = Keys(state / "signoff")
    keys.make()
    table = Table(registry.tracking_uri)
    ledger = Ledger(table, keys.private_key, keys.head_file, POLICY)
    with ledger.writing() as writer:
        (sealed,) = (state / "artifacts").rglob(seal.SEAL_FILE)
        writer.append(ledger.book.opening(1, digest, (AUTHOR,), now(), seal.read(sealed.parent).digest))
        for name, step in SIGNERS:
            person = {"actor": name, "roles": ROLES[name], "version": 1, "digest": digest}
            writer.append(Entry(at=now(), action="approve", step=step, **person, reason="sound"))
        writer.append(Entry(at=now(), actor=SERVICE, action="promote", version=1, digest=digest))
    for step in POLICY.steps:
        registry.client.set_model_version_tag(MODEL, "1", SIGNOFF + step.name, ledger.book.cases[1].tally(step, now()))
    registry.client.set_registered_model_alias(MODEL, CHAMPION, "1")
    table.close()


def main() -> None:
    """Write the state, the features and what there is to know of them, under today's date."""
    name = datetime.now(UTC).date().isoformat()
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        state = folder / "state"
        _promoted(state, folder)
        features = last_days(ingested(folder), folder / "features")
        features.write_parquet(FOLDER / f"{name}.parquet", compression="zstd", compression_level=19)
        scores = candidates.dossier().model.predict(features).select(OUTPUTS)
        scores.write_csv(FOLDER / f"{name}.csv")
        _move(state / "mlflow.db", str(state), _ROOT)
        shutil.make_archive(str(FOLDER / name), "xztar", state)
    (FOLDER / f"{name}.json").write_text(json.dumps({"feature_code": code_version()}, indent=1) + "\n")


if __name__ == "__main__":
    main()

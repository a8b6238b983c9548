"""`tidewaiter upgrade`: what an earlier release has left, brought to what this one reads, or left as it was.

A backup is made first. Then every database is migrated and everything is verified; if that fails, databases and
sign-off are put back as the backup has them. A killed upgrade leaves a note, by which `up` and runs refuse to start.
The same command then goes back first, because a migration that was cut short cannot be taken up again, and begins anew.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from flows.backup import databases, kept, references
from flows.backup.making import KEYS, backup
from flows.backup.restoring import lay_out, some, verified
from flows.processes import running, unfinished
from flows.processes.unfinished import Unfinished
from flows.servers import embedded
from flows.settings import Settings
from models.decisions import DecisionLog
from models.desk import exports
from models.ledger import Keys
from models.notices import Outbox


@dataclass(frozen=True)
class Upgraded:
    """Tells what was done: the backup, and the revisions of each database before and after."""

    backup: Path
    before: dict[str, dict[str, str]]
    after: dict[str, dict[str, str]]


def upgrade(settings: Settings, target: Path) -> Upgraded:
    """Back up below the folder `target`, migrate and verify. ValueError says why everything is as it was before."""
    with running.claim(settings.state_folder):
        begun = unfinished.read(settings.state_folder)
        if begun and begun.what != "upgrade":
            unfinished.refuse(settings.state_folder)
        if begun:
            begun.refuse_others(settings)
            made = begun.backup
            _go_back(settings, made)
        else:
            made = backup(settings, target)
            Unfinished(what="upgrade", backup=made, places=unfinished.places(settings)).write(settings.state_folder)
        before = _revisions(settings)
        try:
            _migrate(settings)
            known = verified(made, made.with_name(made.name + KEYS))[0].faults
            new = [each for each in references.whole(settings, settings.artifact_root).faults() if each not in known]
            if new:
                raise ValueError(f"what was migrated does not verify: {some(new)}")
        except Exception as error:
            _go_back(settings, made)
            unfinished.end(settings.state_folder)
            raise ValueError(
                f"{error}. Everything is as it was before, by {made}: start the earlier release"
            ) from error
        unfinished.end(settings.state_folder)
    return Upgraded(made, before, _revisions(settings))


def _migrate(settings: Settings) -> None:
    """Bring each database that there is, and the folder of keys, to what this release reads."""
    # Imported here, because it takes seconds.
    from mlflow.server.auth.db import utils as accounts
    from mlflow.store.db import utils as mlflow

    there = {each.name for each in databases.of(settings) if each.exists()}
    if "mlflow" in there:
        mlflow._upgrade_db(mlflow.create_sqlalchemy_engine_with_retry(settings.database_uri))  # as `mlflow db upgrade`
    if "accounts" in there or settings.mlflow_database_uri:
        accounts.migrate(mlflow.create_sqlalchemy_engine_with_retry(settings.accounts_uri), "head")
    if "prefect" in there:
        _migrate_prefect(settings)
    if "decisions" in there or settings.decisions_database_uri:
        log = DecisionLog(settings.decisions_uri)
        log.migrate()
        log.close()
        exports.opened(settings.decisions_uri).close()
        outbox = Outbox(settings.decisions_uri)
        outbox.migrate()
        outbox.close()
    if (keys := Keys(settings.signoff_folder)).exist():
        keys.make()


def _migrate_prefect(settings: Settings) -> None:
    uri = settings.prefect_database_uri
    own = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": uri} if uri else {}
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
        env=os.environ | embedded.environment(settings) | own,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"Prefect's database could not be migrated: {(done.stderr or done.stdout).strip()}")


def _go_back(settings: Settings, made: Path) -> None:
    """Put the databases and the files of sign-off back as a backup has them: nothing else is migrated."""
    keys = made.with_name(made.name + KEYS)
    kept_in, secrets = verified(made, keys)
    for each in databases.of(settings):
        if each.name in kept_in.databases:
            each.put_back(made / each.place)
        else:
            each.clear()
    lay_out(settings, made, kept_in, f"{kept.STATE}/signoff/")
    lay_out(settings, keys, secrets, f"{kept.STATE}/signoff/")


def _revisions(settings: Settings) -> dict[str, dict[str, str]]:
    return {each.name: each.revisions() for each in databases.of(settings) if each.exists()}

"""The places where MLflow's database says that artifacts lie. They are absolute and do not move along with a folder.

This module does without MLflow, since `tidewaiter up` asks it before it starts anything.
"""

from collections.abc import Iterator

import sqlalchemy as sa

from models import database

_experiments = sa.table("experiments", sa.column("name"), sa.column("artifact_location"))
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
_PROXIED = "mlflow-artifacts:"  # in the place that the server has


def refuse_moved(database_uri: str, artifact_root: str) -> None:
    """Raise ValueError if an experiment keeps its artifacts elsewhere than below `artifact_root`, a URI.

    Otherwise writing would go to where the state folder was, and reading would come from there.
    """
    for name, place in _places(database_uri):
        if not place.startswith((f"{artifact_root}/", _PROXIED)):
            raise ValueError(moved(name, place, artifact_root))


def move(database_uri: str, before: str, after: str) -> None:
    """Have the database say that what was below the URI `before` is below `after`, where somebody has put it."""
    engine = database.connect(database_uri)
    try:
        with engine.begin() as connection:
            for name, column in _PLACES:
                place = sa.column(column)
                table = sa.table(name, place)
                changed = sa.func.replace(place, f"{before}/", f"{after}/")
                connection.execute(
                    table.update().where(place.startswith(f"{before}/", autoescape=True)).values({place: changed})
                )
    finally:
        engine.dispose()


def moved(name: str, place: str, expected: str) -> str:
    """Return the sentence on an experiment whose artifacts are not where they would be."""
    return (
        f"experiment {name!r} keeps its artifacts in {place}, not in {expected}: the state folder was moved or copied, "
        "or artifacts_uri changed. Put it back, or begin with an empty one"
    )


def _places(database_uri: str) -> Iterator[tuple[str, str]]:
    engine = database.connect(database_uri)
    try:
        if not sa.inspect(engine).has_table(_experiments.name):
            return
        with engine.connect() as connection:
            # MLflow's own experiment 0 is not used here.
            rows = connection.execute(sa.select(_experiments).where(_experiments.c.name != "Default")).all()
    finally:
        engine.dispose()
    yield from ((row.name, row.artifact_location) for row in rows)

"""Where MLflow's database says that artifacts lie: it keeps absolute places, which do not move along with a folder.

Without MLflow, since `tidewaiter up` asks before it starts anything.
"""

from collections.abc import Iterator

import sqlalchemy as sa

from models import database

_experiments = sa.table("experiments", sa.column("name"), sa.column("artifact_location"))
_PROXIED = "mlflow-artifacts:"  # wherever the server keeps them


def refuse_moved(database_uri: str, artifact_root: str) -> None:
    """ValueError where an experiment keeps its artifacts elsewhere than below `artifact_root`, a URI.

    What is written then would go to where the state folder was, and what is read would come from there.
    """
    for name, place in _places(database_uri):
        if not place.startswith((f"{artifact_root}/", _PROXIED)):
            raise ValueError(moved(name, place, artifact_root))


def moved(name: str, place: str, expected: str) -> str:
    """The sentence on an experiment whose artifacts are not where they would be."""
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
            # MLflow's own experiment 0 is nobody's here.
            rows = connection.execute(sa.select(_experiments).where(_experiments.c.name != "Default")).all()
    finally:
        engine.dispose()
    yield from ((row.name, row.artifact_location) for row in rows)

"""Whether what the night selected comes out the same again: its file, its scores, and the facts that it gave.

The draw is not made again here. Its seed is kept with the selection, but it was drawn among all that waited that night.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from mlflow.exceptions import MlflowException

from features.contract import schema
from features.store import versioning
from models.places import Places
from models.risk import RiskModel
from models.targeting import work_lists
from models.trace.links import HELD, Broken, Link, NotChecked, judged
from models.trace.night import Night
from models.workspace import Workspace, incumbents


def of_selection(
    places: Places, source: str, number: int, rows: pl.DataFrame, language: str, given: Mapping[int, Sequence[str]]
) -> list[Link]:
    """Return the links of what a selection says of a declaration's items (selection_log.SCHEMA, by item number).

    `given` are the facts of the work list by item, in `language`; it is empty where there is no list.
    """
    night = Night.of(places, source)
    file = night.selections.file(number)
    kept = judged(
        "selection", file.name, "The selection is the one that DVC keeps.", lambda: _compare_kept(places, file)
    )
    made: list[tuple[RiskModel, pl.DataFrame]] = []

    def compare_scores() -> None:
        made.append(_made(places, source, night, rows))
        model, features = made[0]
        if model.predict(features)["score"].to_list() != rows["score"].to_list():
            made.clear()
            raise NotChecked("what is known today of the days before is not what was known then")

    scores = judged("score", "", "The model gives each item the score that was kept.", compare_scores)

    def compare_facts() -> None:
        if not language:
            raise NotChecked("there is no work list")
        if scores.state != HELD:
            raise NotChecked("what the facts were made of cannot be made again")
        model, features = made[0]
        told = work_lists.worded(model, features.filter(pl.col("item_number").is_in(list(given))), language)
        for item in given:
            again = told.filter(pl.col("item_number") == item)["sentence"].to_list()
            if again != list(given[item]):
                raise Broken(f"of item {item} the model says: {'; '.join(again) or 'nothing'}")

    return [kept, scores, judged("reasons", "", "The model gives the reasons that the work list gives.", compare_facts)]


def _compare_kept(places: Places, file: Path) -> None:
    try:
        current = versioning.current(places.data, places.state)
        if current is None or not versioning.exists(places.data, current, places.state):
            raise NotChecked(f"no version of {places.data} is kept here")
        kept = versioning.listed(places.data, current, places.state)
    except versioning.VersionError as error:
        raise NotChecked(str(error)) from error
    name = file.resolve().relative_to(places.data.resolve()).as_posix()
    if name not in kept:
        raise NotChecked(f"no version of {places.data} has it yet")
    if hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != kept[name]:
        raise Broken("it is not what DVC keeps under its name")


def _made(places: Places, source: str, night: Night, rows: pl.DataFrame) -> tuple[RiskModel, pl.DataFrame]:
    """Return the model that selected, and the features of the items, made again from what was known that morning."""
    first = rows.row(0, named=True)
    declared = night.declared(first["declaration_id"]).select(schema("declarations").names())
    declared = declared.join(rows.select("item_number"), on="item_number", how="semi", maintain_order="left")
    if declared["item_number"].to_list() != rows["item_number"].to_list():
        raise NotChecked("the store has no longer all items of the declaration")
    try:
        with TemporaryDirectory(prefix="tidewaiter-") as scratch:
            version = incumbents.registered(places, first["model_version"], Path(scratch))
        workspace = Workspace(places, version.policy, source)
        features = workspace.morning(first["accepted_on"]).features(declared)
    except (MlflowException, OSError, ValueError, LookupError) as error:
        raise NotChecked(str(error).splitlines()[0]) from error
    if version.model.digest != first["model_digest"]:
        raise NotChecked("what is stored of the version is another model")
    return version.model, features

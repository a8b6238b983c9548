"""A family is one file: once it is in the folder of families, all code that asks features about themselves knows it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features.code_digest import code_version
from features.families import FAMILIES
from models.reasons.language import LANGUAGES

PROJECT = Path(__file__).parents[2]
FEATURE = "importer_mode_hits_365d"
FAMILY = '''
"""How often goods of this importer that came in this way were found illicit.

As of: an outcome counts from the day after its result was known, for a year.
"""

import numpy as np
import polars as pl

from features.facts.asof import YEAR_DAYS
from features.facts.kinds import HITS
from features.families.feature import Feature
from features.families.sentences import Sentences, Words
from features.history.history import History

NAME = "modes"
_BY = ("importer_id", "transport_mode")

FEATURES = (
    Feature(
        "importer_mode_hits_365d",
        NAME,
        "numeric",
        "hits among the importer's goods by this mode of transport, a year",
        "outcomes known before the day of acceptance, within the window",
        entity=_BY,
        measure="hits",
        group="importer_x_mode",
        sentences=Sentences(
            Words(
                en="Infringements of this importer in {span}, by the same {noun}: {number}.",
                fr="Infractions de cet importateur au cours {span}, par le même {noun}\\u00a0: {number}.",
                zh="{span}，该进口商以相同{noun}申报的货物查获次数：{number}。",
            ),
            zero=Words(
                en="No infringement of this importer is known.",
                fr="Aucune infraction de cet importateur n'est connue.",
                zh="该进口商没有查获记录。",
            ),
        ),
        window_days=YEAR_DAYS,
        rests_on_outcomes=True,
        drift="log",
    ),
)

TABLES = (("found", _BY),)


def compute(history: History) -> pl.DataFrame:
    """Columns of `FEATURES`, one row a query."""
    record = history.record(_BY)
    hits = np.where(record.is_named, record.sums("found", YEAR_DAYS)[:, HITS], np.nan)
    return pl.DataFrame({FEATURES[0].name: pl.Series(hits.astype(np.float32), nan_to_null=True)})
'''
# One process that retrains on features of all families, asks why, compares two windows and rehearses a few weeks.
USED = """
import json
import sys
from pathlib import Path

import polars as pl

from features.families import FAMILIES
from features.code_digest import code_version
from features.matrix.matrix import CATALOGUE, feature_of
from models.backtesting.replay import RESTS_ON_OUTCOMES, rehearse
from models.backtesting.strategies import Product
from models.monitoring import drift
from models.reasons import reasons
from models.reasons.language import LANGUAGES
from models.training.fitting import train
from tests.support.replayed import LANES, QUICK, SETTING, TARGETING, world

new = next(feature for feature in CATALOGUE if feature.name == sys.argv[1])
few = (feature_of(("item_value",), "duty"), feature_of(("hs6",), "hit_rate", 365), new)
replayed = world()
known = replayed.inspected
model = train(known[:900], known[900:], few, QUICK.training, TARGETING)
said = {
    language: reasons(model, known, language, top=9).filter(pl.col("group") == new.group)["sentence"].to_list()
    for language in LANGUAGES
}
scored = known.with_columns(model.predict(known).select("score"))
before, after = scored[:900], scored[900:].with_columns(pl.col(new.name) + 50)
compared = drift.check(drift.sample_by_day(before, 900, 1), after, QUICK.drift, 1, None, Path("drift.html"))
log = rehearse(replayed, {"product": Product(QUICK, explores=False, features=few)}, SETTING.retrain_weeks, LANES, 5)
print(
    json.dumps(
        {
            "families": [family.NAME for family in FAMILIES],
            "rest on outcomes": [family.NAME for family in RESTS_ON_OUTCOMES],
            "code": code_version(),
            "learned": model.encoder.names,
            "said": said,
            "drifted": compared.drifted,
            "hits": log["product"]["is_hit"].sum(),
        }
    )
)
"""


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """What that process tells of the project's code with one file more."""
    folder = tmp_path_factory.mktemp("project")
    for package in ("features", "models"):
        shutil.copytree(PROJECT / package, folder / package)
    (folder / "features" / "families" / "modes.py").write_text(FAMILY.lstrip(), encoding="utf-8")
    told = subprocess.run(
        [sys.executable, "-c", USED, FEATURE],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), str(PROJECT)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout.splitlines()[-1])


def test_it_is_computed_after_all_others_by_other_code(used):
    assert used["families"] == [*(family.NAME for family in FAMILIES), "modes"]
    assert used["code"] != code_version()


def test_it_is_learned_from_and_explained_in_every_language(used):
    assert used["learned"][-1] == FEATURE
    shown = {name: set(sentences) for name, sentences in used["said"].items()}
    assert {"No infringement of this importer is known."} < shown["en"]
    assert "Infringements of this importer in the past year, by the same mode of transport: 1." in shown["en"]
    assert (
        "Infractions de cet importateur au cours de l'année écoulée, par le même mode de transport\u00a0: 1."
        in shown["fr"]
    )
    assert "近一年，该进口商以相同运输方式申报的货物查获次数：1。" in shown["zh"]
    assert len({len(used["said"][name]) for name in LANGUAGES}) == 1


def test_it_is_watched(used):
    assert FEATURE in used["drifted"]


def test_it_is_rehearsed_on_what_was_inspected(used):
    assert used["rest on outcomes"] == ["entities", "encodings", "relations", "modes"]
    assert used["hits"] > 0

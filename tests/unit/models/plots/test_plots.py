import numpy as np
import polars as pl
import pytest
from PIL import Image

from models.evaluation import baselines
from models.evaluation.figures import sample_of
from models.plots import plots
from tests.support.scored import FEATURES, rows, scores

TEST = rows(400)
SAMPLE = sample_of(TEST)
SCORERS = {"model": scores(TEST), **baselines.score(rows(400, seed=9), TEST, FEATURES)}
NAMES = ("item_value", "office", "net_mass_kg")
CONTRIBUTIONS = np.random.default_rng(0).normal(size=(400, 4))

DRAWN = {
    "precision_recall": lambda path: plots.precision_recall(path, SAMPLE, SCORERS),
    "gain": lambda path: plots.gain(path, SAMPLE, SCORERS),
    "reliability": lambda path: plots.reliability(path, SAMPLE, SCORERS),
    "score_histogram": lambda path: plots.score_histogram(path, SAMPLE, SCORERS["model"].score),
    "learning_curve": lambda path: plots.learning_curve(
        path, "average precision", {"training": [0.2, 0.4, 0.5], "validation": [0.2, 0.3, 0.25]}, best_round=2
    ),
    "shap_summary": lambda path: plots.shap_summary(path, CONTRIBUTIONS, TEST, NAMES),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_a_png_with_something_on_it_and_the_same_each_time(tmp_path, name):
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    DRAWN[name](one)
    DRAWN[name](other)
    assert one.read_bytes() == other.read_bytes()
    with Image.open(one) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 400
        assert np.asarray(picture.convert("L")).std() > 5


def test_rows_without_hits_or_revenue_can_be_drawn(tmp_path):
    none = sample_of(TEST.with_columns(is_illicit=pl.lit(value=False)))
    for draw in (plots.precision_recall, plots.gain, plots.reliability):
        draw(tmp_path / "none.png", none, SCORERS)
        assert (tmp_path / "none.png").stat().st_size > 5000


def test_contributions_of_another_shape_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"contributions have shape \(400, 4\); allowed: \(400, 3\)"):
        plots.shap_summary(tmp_path / "shap.png", CONTRIBUTIONS, TEST, NAMES[:2])


def test_the_global_random_generator_is_left_as_it_was(tmp_path):
    before = np.random.get_state()[1].copy()
    DRAWN["shap_summary"](tmp_path / "shap.png")
    assert (np.random.get_state()[1] == before).all()

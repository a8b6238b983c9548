"""The pictures of an evaluation, as PNG files in one style. What they show is computed in ranking.py.

The same figures give the same bytes: no date is written, and SHAP's jitter is seeded.
"""

import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from features.arrays import Floats
from models.evaluation.figures import TITLES
from models.metrics import Measures, Sample, Scores, ranking

COLOURS = {
    "model": "#0b5394",
    "champion": "#b45f06",
    "logistic": "#38761d",
    "risk_profile": "#8e4b9e",
    "random": "#8a8a8a",
}
_STYLE = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}
_PERCENT = PercentFormatter(xmax=1, decimals=0)
_SHAP_FEATURES = 15


def precision_recall(path: Path, sample: Sample, scorers: Mapping[str, Scores]) -> None:
    """Draw every scorer's precision against recall; the dotted line is the share of hits among all rows."""
    with styled(path) as figure:
        axes = figure.subplots()
        for name, scores in scorers.items():
            curve = ranking.Ranking(sample, scores.score).curve(sample.ones)
            hits, rows = curve.hits[0, 1:], curve.rows[0, 1:]
            label = f"{TITLES.get(name, name)} ({ranking.average_precision(curve)[0]:.3f})"
            # A constant score has one threshold, which is a single point; a line from recall 0 makes it visible.
            recall = np.append(0, hits / max(hits[-1], 1))
            precision = hits / rows
            axes.plot(recall, np.append(precision[0], precision), color=COLOURS.get(name), label=label)
        _dress(
            axes, "Precision and recall", "recall: share of all hits found", "precision: share of inspections that hit"
        )
        axes.legend(title="average precision", alignment="left")


def gain(path: Path, sample: Sample, scorers: Mapping[str, Scores]) -> None:
    """Draw hits found and revenue captured against the share inspected; lines are dashed for selection by priority."""
    with styled(path, width=10.5) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for name, scores in scorers.items():
            by = {"-": scores.score} | ({} if scores.priority is None else {"--": scores.priority})
            for line, key in by.items():
                curve = ranking.Ranking(sample, key).curve(sample.ones)
                look = {"color": COLOURS.get(name), "linestyle": line}
                label = TITLES.get(name, name) if line == "-" else None
                for axes, values in ((left, curve.hits[0]), (right, curve.revenue[0])):
                    axes.plot(curve.rows[0] / curve.rows[0, -1], values / max(values[-1], 1e-12), label=label, **look)
        _dress(left, "Hits found", "share inspected", "share of all")
        _dress(right, "Revenue captured", "share inspected", "")
        right.plot([], [], color="#333333", linestyle="-", label="selected by score")
        right.plot([], [], color="#333333", linestyle="--", label="selected by priority")
        right.legend(loc="lower right")


def reliability(path: Path, sample: Sample, scorers: Mapping[str, Scores]) -> None:
    """Draw the share of hits against the mean score, in ten bins of equal size; on the diagonal, scores are true."""
    with styled(path, width=5.6) as figure:
        axes = figure.subplots()
        top = 0.0
        for name, scores in scorers.items():
            bins = ranking.calibration_bins(scores.score)
            sizes = np.bincount(bins)
            said = np.bincount(bins, scores.score) / sizes
            found = np.bincount(bins, sample.is_hit) / sizes
            error = Measures(sample, scores)(sample.ones)[0, 3]
            label = f"{TITLES.get(name, name)} ({error:.3f})"
            axes.plot(said, found, marker="o", markersize=4.5, color=COLOURS.get(name), label=label)
            top = max(top, said.max(), found.max())
        axes.plot([0, 1], [0, 1], color="#444444", linewidth=1, linestyle=":")
        _dress(axes, "Reliability", "mean score of the bin", "share of hits in the bin")
        axes.set(xlim=(0, min(1, top * 1.05)), ylim=(0, min(1, top * 1.05)), aspect="equal")
        axes.legend(title="expected calibration error", alignment="left", loc="lower right")


def score_histogram(path: Path, sample: Sample, score: Floats) -> None:
    """Draw how many hits and other rows have which score, on a log scale, so that the few high scores show."""
    with styled(path) as figure:
        axes = figure.subplots()
        edges = np.linspace(0, max(score.max(), 1e-6), 41).tolist()
        groups = {"no hit": ~sample.is_hit, "hit": sample.is_hit}
        for (name, mask), colour in zip(groups.items(), ("#9fb6cd", "#c0392b"), strict=True):
            axes.hist(
                score[mask], edges, label=f"{name} ({mask.sum():,})", color=colour, histtype="stepfilled", alpha=0.75
            )
        axes.set(title="Scores of the test rows", xlabel="score", ylabel="rows in the bin", yscale="log")
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
        axes.legend()


def learning_curve(path: Path, metric: str, rounds: Mapping[str, Sequence[float]], best_round: int) -> None:
    """Draw `metric` after each boosting round, one line a part (training, validation); `best_round` counts from 1."""
    with styled(path) as figure:
        axes = figure.subplots()
        for (name, values), colour in zip(rounds.items(), ("#0b5394", "#b45f06", "#38761d"), strict=False):
            axes.plot(range(1, len(values) + 1), values, label=name, color=colour)
        axes.axvline(best_round, color="#444444", linewidth=1, linestyle=":", label=f"kept: round {best_round}")
        axes.set(title="Learning curve", xlabel="boosting round", ylabel=metric)
        axes.legend()


def shap_summary(path: Path, contributions: Floats, rows: pl.DataFrame, names: Sequence[str]) -> None:
    """Draw how each feature moved the score of each row: SHAP's beeswarm of the features that matter most.

    `contributions` is LightGBM's pred_contrib (rows x features and the expected value last), in log-odds. Raises
    ValueError where its shape is not that.
    """
    if contributions.shape != (rows.height, len(names) + 1):
        raise ValueError(f"contributions have shape {contributions.shape}; allowed: {(rows.height, len(names) + 1)}")
    import shap  # here, because its import takes seconds and only this picture needs it

    # Codes have no order, so they get no colour on a scale from low to high.
    values = rows.select(
        pl.col(name).cast(pl.Float64) if rows.schema[name].is_numeric() else pl.lit(np.nan).alias(name)
        for name in names
    )
    explanation = shap.Explanation(contributions[:, :-1], data=values.to_numpy(), feature_names=list(names))
    with styled(path, width=9, height=6.5) as figure:
        axes = figure.subplots()
        state = np.random.get_state()  # SHAP orders and jitters its points by the global generator
        np.random.seed(0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)  # the codes
            shap.plots.beeswarm(explanation, max_display=_SHAP_FEATURES, ax=axes, plot_size=None, show=False, s=9)
        np.random.set_state(state)
        axes.set_title("What moves the score")
        axes.set_xlabel("contribution to the score, log-odds", fontsize=10)
        axes.tick_params(labelsize=9)


@contextmanager
def styled(path: Path, width: float = 7.5, height: float = 4.8) -> Generator[Figure]:
    """Yield a styled figure, write it to `path` and forget it; pyplot keeps none."""
    with style.context(_STYLE):
        figure = Figure(figsize=(width, height))
        yield figure
        figure.savefig(path, metadata={"Software": None})


def _dress(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.yaxis.set_major_formatter(_PERCENT)

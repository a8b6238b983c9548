"""What each feature family is worth: the model without it against the model with all, on the same test rows.

    python benchmarks/ablation.py kcs

The source must have been ingested (`make run`). It prints a Markdown table: each figure without the family less that
with all, with a 95 % interval of the paired bootstrap; where it is below 0, the family helps. Figures are those of the
latest days, over all rows and over goods that no training row holds; an interval around 0 is noise.
"""

import argparse

import measuring
import numpy as np

from features.families import FAMILIES
from features.matrix.matrix import CATALOGUE
from models.evaluation.figures import sample_of, scores_of
from models.evaluation.repeats import has_identical_earlier_row
from models.metrics.bootstrap import draw
from models.metrics.ranking import Measures, Scores
from models.policy import load
from models.training.fitting import train

SHARE = 0.1
FIGURES = ("roc_auc", "average_precision", "revenue_at_10pct_by_priority")
ALL = "all families"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="name of an ingested source: simulator, kcs, files")
    source = parser.parse_args().source
    policy = load()
    _, _, split = measuring.ingested(source, policy)
    unseen = ~has_identical_earlier_row(split.before_test, split.test).to_numpy()

    kept = {ALL: CATALOGUE} | {
        f"without {family.NAME}": tuple(f for f in CATALOGUE if f.family != family.NAME) for family in FAMILIES
    }
    scores = {}
    for name, features in kept.items():
        # The duty at stake stays, because the revenue head cannot do without it.
        features = features if name != "without declared" else (*features, *_stake())
        model = train(
            split.train, split.validation, features, policy.training, policy.targeting, final_frame=split.before_test
        )
        scores[name] = scores_of(split.test, model.predict(split.test))
    print(f"{source}: {split.test.height} test rows, {unseen.sum()} of them of goods never seen before\n")
    print("| features | ROC-AUC | average precision | revenue at 10 % | ROC-AUC, unseen | average precision, unseen |")
    print("| --- | --- | --- | --- | --- | --- |")
    everything = _draws(split.test, scores, np.ones(split.test.height, np.bool_), FIGURES, policy)
    others = _draws(split.test, scores, unseen, FIGURES[:2], policy)
    for name in scores:
        cells = [_cell(name, *each) for each in (everything, others)]
        print(f"| {name} ({len(kept[name])}) | {' | '.join(cells)} |")


def _stake() -> tuple:
    return tuple(f for f in CATALOGUE if f.name == "duty_at_stake")


def _draws(test, scores, kept, figures, policy):
    sample = sample_of(test).where(kept)
    measures = {
        name: Measures(sample, Scores(each.score[kept], each.priority[kept]), (SHARE,)) for name, each in scores.items()
    }
    places = [measures[ALL].names.index(figure) for figure in figures]
    values = {name: measure(sample.ones)[0][places] for name, measure in measures.items()}
    drawn = draw(measures, int(kept.sum()), policy.evaluation.bootstrap_resamples, policy.training.seed)
    return values, {name: each[:, places] for name, each in drawn.items()}


def _cell(name: str, values, drawn) -> str:
    if name == ALL:
        return " | ".join(f"{value:.3f}" for value in values[ALL])
    low, high = np.quantile(drawn[name] - drawn[ALL], (0.025, 0.975), axis=0)
    change = values[name] - values[ALL]
    return " | ".join(f"{c:+.3f} ({a:+.3f} to {b:+.3f})" for c, a, b in zip(change, low, high, strict=True))


if __name__ == "__main__":
    main()

"""The model card: what a reviewer reads before signing, in Markdown.

The whole card is an artifact of the run; `describe` makes it short enough to be a version's description. The text is in
templates/card.md.j2; this module only writes out figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from features.families import Feature
from models.backtesting import side_by_side
from models.burden import BurdenReport
from models.detection import Detection
from models.evaluation import Evaluation, Gate, figures, slices
from models.evidence.source_code import Uncommitted
from models.metrics import Estimate
from models.policy import SignoffStep
from models.risk import training_record

# The limit is in characters: MLflow's column is VARCHAR(5000). SQLite lets more pass, PostgreSQL and MySQL do not.
DESCRIPTION_LIMIT = 5000

_SHORT_SLICES = 12
_TOP_FEATURES, _SHORT_TOP_FEATURES = 20, 6
_MAIN_SHARE = 0.10
_OLDER = Estimate(value=None, reason="this version is older than the estimate")
_CUT = "\n\nCut short here: the whole card is the run's artifact `card.md`.\n"


@dataclass(frozen=True)
class Subject:
    """Holds what the card is about, besides its figures.

    `uncommitted` is what differs from the commit, None if nobody can say. The model learned on `train`, was tuned on
    `validation` and then fitted on `final`, which holds both. `importance` is the mean absolute SHAP value of features,
    in log-odds; `drift` is a sentence with the verdict; `changes` tell in a few words each what is different from the
    champion; `documents` are the files that the card is about, with their SHA-256; `stray` labelled rows are in no
    part; `imported` says which version of another installation it was.
    """

    model: str
    source: str
    data_version: str
    code_commit: str
    uncommitted: Uncommitted | None
    train: training_record.LearnedPart
    validation: training_record.LearnedPart
    final: training_record.LearnedPart
    features: Sequence[Feature]
    importance: Mapping[str, float]
    drift: str
    changes: Sequence[str]
    signoff: Sequence[SignoffStep]
    selection_share: float
    is_simulated: bool
    documents: Mapping[str, str]
    stray: int = 0
    imported: str = ""
    detection: Detection | None = None  # None: this version is older than the estimate
    currency: str | None = None  # the currency of all amounts


@dataclass(frozen=True)
class Addresses:
    """Says where the run's artifacts are: `page` shows them, and `file`, followed by a path, is the content of one."""

    page: str
    file: str


def render(
    subject: Subject,
    evaluation: Evaluation,
    gates: Sequence[Gate],
    burden: BurdenReport,
    rehearsed: side_by_side.SideBySide | side_by_side.NotRehearsed,
) -> str:
    """Return the whole card: every inspection share of every scorer, every slice, and whom inspections affect."""
    return _fill(subject, evaluation, gates, rehearsed, evaluation.slices, _TOP_FEATURES, places=None, burden=burden)


def describe(
    subject: Subject,
    evaluation: Evaluation,
    gates: Sequence[Gate],
    rehearsed: side_by_side.SideBySide | side_by_side.NotRehearsed,
    places: Addresses,
) -> str:
    """Return the card within `DESCRIPTION_LIMIT`: the features that matter most, and as many slices as there is room.

    If the text does not fit even so, it is cut off at the end of a line, with a pointer to the whole card.
    """
    text = ""
    for kept in range(_SHORT_SLICES, -1, -1):
        shown = _telling(evaluation.slices, kept)
        text = _fill(subject, evaluation, gates, rehearsed, shown, _SHORT_TOP_FEATURES, places, burden=None)
        if len(text) <= DESCRIPTION_LIMIT:
            return text
    return text[: DESCRIPTION_LIMIT - len(_CUT)].rpartition("\n")[0] + _CUT


def _fill(
    subject: Subject,
    evaluation: Evaluation,
    gates: Sequence[Gate],
    rehearsed: side_by_side.SideBySide | side_by_side.NotRehearsed,
    shown: Sequence[slices.Slice],
    top_features: int,
    places: Addresses | None,
    burden: BurdenReport | None,
) -> str:
    """Return the template's text; with places to link to it is the short card."""
    champion = evaluation.champion
    scorers = (evaluation.model, *((champion.champion,) if champion else ()), *evaluation.baselines)
    return (
        _environment()
        .get_template("card.md.j2")
        .render(
            subject=subject,
            evaluation=evaluation,
            gates=gates,
            failed=[gate for gate in gates if not gate.passed],
            unjudged=[gate for gate in gates if gate.verdict == "not judged"],
            slices=shown,
            scorers=scorers,
            shares=[each.share for each in evaluation.model.at_shares if each.by == "score"],
            main=_MAIN_SHARE,
            repeats={part.value: part for part in evaluation.slices if part.dimension == slices.IDENTICAL_EARLIER_ROW},
            families=_families(subject),
            top=_top(subject, top_features),
            is_whole=places is None,
            places=places,
            at=_at,
            selection_share=subject.selection_share,
            burden=burden,
            rehearsed=rehearsed,
            illicit_at_30=subject.detection.illicit_at(0.30) if subject.detection else _OLDER,
        )
    )


@cache  # keeps what it has compiled too
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("models"),
        autoescape=False,  # Markdown, not HTML; codes and figures of the contract are filled in
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": _number, "point": _point, "percent": _percent, "title": _title, "share": _share}
    environment.filters["estimated"] = _estimated
    return environment


def _telling(parts: Sequence[slices.Slice], kept: int) -> list[slices.Slice]:
    """Return the telling slices: repeats and new importers, then the weakest by ROC-AUC of the larger half."""
    first = [part for part in parts if part.dimension in (slices.IDENTICAL_EARLIER_ROW, "importer")]
    rest = sorted(
        (part for part in parts if part not in first and part.roc_auc.value is not None), key=lambda part: -part.rows
    )
    weakest = sorted(rest[: (len(rest) + 1) // 2], key=lambda part: part.roc_auc.value or 0.0)
    return [*first, *weakest][:kept]


def _families(subject: Subject) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for feature in subject.features:
        sizes[feature.family] = sizes.get(feature.family, 0) + 1
    return sizes


def _top(subject: Subject, kept: int) -> list[tuple[Feature, float]]:
    known = {feature.name: feature for feature in subject.features}
    ordered = sorted(subject.importance.items(), key=lambda entry: (-entry[1], entry[0]))
    return [(known[name], value) for name, value in ordered[:kept]]


def _at(scorer: figures.Scorer, share: float, by: str) -> figures.AtShare | None:
    return next((each for each in scorer.at_shares if each.share == share and each.by == by), None)


def _number(estimate: Estimate, form: str = ".3f") -> str:
    return estimate.text(form, f"none: {estimate.reason}", "{value} [{low}, {high}]")


def _point(estimate: Estimate) -> str:
    """Return the value alone, for places without room for its interval."""
    return "none" if estimate.value is None else f"{estimate.value:.3f}"


def _percent(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return estimate.times(100).text(".0f", f"none: {estimate.reason}", "{value} % [{low}, {high}]", "{value} %")


def _estimated(estimate: Estimate) -> str:
    return estimate.times(100).text(".0f", f"not estimated: {estimate.reason}", "{value} % [{low}, {high}]")


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


def _title(name: str) -> str:
    return figures.TITLES.get(name, name)

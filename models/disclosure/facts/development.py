"""How a version was made and what was measured of it, as its evidence has it."""

from collections import Counter
from collections.abc import Iterable

from features.matrix import CATALOGUE
from models.backtesting import side_by_side
from models.burden import Group
from models.disclosure.facts.system import MANIFEST, MODEL_FILE, POLICY
from models.disclosure.material import Material
from models.disclosure.statement import DASH, Statement, Table, estimate, share
from models.evaluation import figures, slices
from models.metrics import Estimate
from models.site import Words

EVALUATION, VALIDATION, DRIFT = "evidence/evaluation.json", "evidence/validation.json", "evidence/drift.json"
_FEATURES, _REASONS, _PARTS = 10, 10, 24  # rows of tables that would be longer


def changes(material: Material, say: Words) -> Statement:
    told = material.dossier.judged.about.changes
    if not told:
        return Statement(say("fact.changes.first"), (EVALUATION,))
    return Statement(say("fact.changes", changes="; ".join(told)), (EVALUATION,))


def development(material: Material, say: Words) -> Statement:
    parts, tested = material.dossier.model.training.parts, material.dossier.judged.evaluation
    learned = (("train", parts.train), ("validation", parts.validation), ("final", parts.final))
    rows = [
        (
            say(f"part.{name}"),
            say.day(part.first_day),
            say.day(part.last_day),
            say.number(part.rows),
            say.number(part.hits),
        )
        for name, part in learned
    ]
    rows.append(
        (
            say("part.test"),
            say.day(tested.first_day),
            say.day(tested.last_day),
            say.number(tested.rows),
            say.number(tested.hits),
        )
    )
    heads = [say(head) for head in ("head.part", "head.first_day", "head.last_day", "head.rows", "head.illicit")]
    text = say("fact.development", trials=material.policy.training.search.trials, seed=material.policy.training.seed)
    return Statement(text, (MODEL_FILE, EVALUATION, POLICY), Table(heads, rows))


def computation(material: Material, say: Words) -> Statement:
    training, search = material.dossier.model.training, material.policy.training.search
    text = say(
        "fact.computation",
        rounds=say.number(training.trees),
        revenue=say.number(training.revenue_rounds),
        critical=say.number(training.critical_rounds),
        rows=say.number(training.parts.final.rows),
        features=say.number(len(material.dossier.model.encoder.names)),
        minutes=say.number(search.minutes),
    )
    return Statement(text, (MODEL_FILE, POLICY))


def optimised(material: Material, say: Words) -> Statement:
    model, targeting = material.dossier.model, material.policy.targeting
    worth = say.amount(model.hit_value, material.dossier.judged.burden.currency)
    text = say(
        "fact.optimised", worth=worth, kept=say.share(targeting.kept_precision), at=say.share(targeting.at_share)
    )
    return Statement(text, (MODEL_FILE, POLICY))


def importance(material: Material, say: Words) -> Statement:
    known = {feature.name: feature for feature in CATALOGUE}
    told = material.dossier.judged.about.importance
    ordered = sorted(told.items(), key=lambda each: (-each[1], each[0]))[:_FEATURES]
    rows = [(name, known[name].meaning if name in known else DASH, say.number(value, 3)) for name, value in ordered]
    heads = [say(head) for head in ("head.feature", "head.meaning", "head.moves")]
    text = say("fact.importance", shown=len(rows), features=say.number(len(told)))
    return Statement(text, (EVALUATION,), Table(heads, rows))


def data(material: Material, say: Words) -> Statement:
    batches = material.dossier.validation.batches
    text = say(
        "fact.data",
        source=material.dossier.judged.about.source,
        version=material.manifest.data_version,
        batches=say.number(len(batches)),
        lines=say.number(sum(batch.rows_in for batch in batches)),
        stored=say.number(sum(batch.stored for batch in batches)),
    )
    if material.is_simulated:
        text = f"{text} {say('simulated')}"
    return Statement(text, (MANIFEST, VALIDATION, EVALUATION))


def labels(material: Material, say: Words) -> Statement:
    learned = material.dossier.model.training.parts.final
    text = say(
        "fact.labels",
        hits=say.number(learned.hits),
        rows=say.number(learned.rows),
        share=say.share(learned.hits / learned.rows if learned.rows else None),
        days=say.number(material.policy.features.label_delay_days),
    )
    return Statement(text, (MODEL_FILE, POLICY))


def cleaning(material: Material, say: Words) -> Statement:
    batches = material.dossier.validation.batches
    lines, refused = sum(batch.rows_in for batch in batches), sum(batch.quarantined for batch in batches)
    reasons: Counter[str] = Counter()
    for batch in batches:
        reasons.update(batch.quarantined_by_reason)
    text = say(
        "fact.cleaning",
        refused=say.number(refused),
        share=say.share(refused / lines if lines else None, 2),
        most=say.share(material.policy.ingestion.max_quarantined_share),
    )
    table = Table(
        [say("head.reason"), say("head.lines")],
        [(reason, say.number(count)) for reason, count in reasons.most_common(_REASONS)],
    )
    return Statement(text, (VALIDATION, POLICY), table if reasons else None)


def selection_of_data(material: Material, say: Words) -> Statement:
    text = say("fact.selection_of_data", random=say.share(material.policy.targeting.random_share))
    found = material.dossier.judged.evaluation.selection
    told = say("selection.unknown")
    if found:
        told = say("selection.known", inspected=say.number(found.inspected), rows=say.number(found.rows))
    return Statement(f"{text} {told}", (POLICY, EVALUATION))


def gates(material: Material, say: Words) -> Statement:
    judged = material.dossier.judged.gates
    passed = sum(gate.verdict == "passed" for gate in judged)
    rows = [
        (gate.name, say(f"gate.{gate.verdict}"), _bare(say, gate.observed), _bare(say, gate.bound)) for gate in judged
    ]
    heads = [say(head) for head in ("head.gate", "head.passed", "head.observed", "head.bound")]
    return Statement(say("fact.gates", passed=passed, gates=len(judged)), (EVALUATION, POLICY), Table(heads, rows))


def performance(material: Material, say: Words) -> Statement:
    tested = material.dossier.judged.evaluation
    scorers = (tested.model, *((tested.champion.champion,) if tested.champion else ()), *tested.baselines)
    rows = [
        (
            say(f"scorer.{each.name}"),
            estimate(say, each.roc_auc),
            estimate(say, each.average_precision),
            estimate(say, each.brier),
            estimate(say, each.expected_calibration_error),
        )
        for each in scorers
    ]
    heads = [say("head.scorer"), "ROC-AUC", say("head.average_precision"), "Brier", say("head.calibration_error")]
    text = say(
        "fact.performance",
        rows=say.number(tested.rows),
        hits=say.number(tested.hits),
        first=say.day(tested.first_day),
        last=say.day(tested.last_day),
        confidence=say.share(tested.confidence),
    )
    return Statement(text, (EVALUATION,), Table(heads, rows), is_open=tested.model.roc_auc.value is None)


def at_shares(material: Material, say: Words) -> Statement:
    rows = [
        (
            say.share(each.share),
            say(f"by.{each.by}"),
            share(say, each.precision),
            share(say, each.recall),
            estimate(say, each.lift, 1),
            share(say, each.revenue),
        )
        for each in material.dossier.judged.evaluation.model.at_shares
    ]
    names = ("head.inspected", "head.by", "head.precision", "head.recall", "head.lift", "head.revenue_share")
    return Statement(say("fact.at_shares"), (EVALUATION,), Table([say(head) for head in names], rows))


def part_of(material: Material, value: str) -> Estimate:
    """Return ROC-AUC on the test rows that have, or have not, an identical earlier row: `value` is yes or no."""
    parts = material.dossier.judged.evaluation.slices
    named = (part.roc_auc for part in parts if (part.dimension, part.value) == (slices.IDENTICAL_EARLIER_ROW, value))
    return next(named, Estimate(value=None))


def weak_parts(material: Material, say: Words) -> Statement:
    every = material.dossier.judged.evaluation.slices
    shown = [part for part in every if part.rows][:_PARTS]
    rows = [
        (
            part.dimension,
            part.value,
            say.number(part.rows),
            say.number(part.hits),
            estimate(say, part.roc_auc),
            estimate(say, part.average_precision),
        )
        for part in shown
    ]
    names = ("head.dimension", "head.value", "head.rows", "head.illicit")
    heads = [*(say(head) for head in names), "ROC-AUC", say("head.average_precision")]
    text = say(
        "fact.weak_parts", shown=len(shown), parts=len(every), least=say.number(material.policy.gates.slice_min_rows)
    )
    return Statement(text, (EVALUATION, POLICY), Table(heads, rows))


def groups(material: Material, say: Words) -> Statement:
    load, bounds = material.dossier.judged.burden, material.policy.burden
    shown = sorted(load.groups, key=_ratio, reverse=True)[:_PARTS]
    rows = [
        (
            each.dimension,
            each.value,
            say.number(each.rows),
            share(say, each.selection_rate),
            estimate(say, each.selection_ratio, 2),
            estimate(say, each.wasted_ratio, 2),
        )
        for each in shown
    ]
    names = ("head.dimension", "head.value", "head.rows", "head.selected", "head.selection_ratio", "head.wasted_ratio")
    text = say(
        "fact.groups",
        shown=len(shown),
        groups=len(load.groups),
        ratio=say.number(bounds.max_selection_ratio, 1),
        wasted=say.number(bounds.max_wasted_ratio, 1),
        least=say.number(bounds.min_rows),
    )
    return Statement(text, (EVALUATION, POLICY), Table([say(head) for head in names], rows))


def limits(material: Material, say: Words) -> Statement:
    gates = material.policy.gates
    text = say(
        "fact.limits",
        unseen=estimate(say, part_of(material, "no")),
        seen=estimate(say, part_of(material, "yes")),
        least=say.number(gates.slice_min_rows),
    )
    return Statement(text, (EVALUATION, POLICY))


def metrics(material: Material, say: Words) -> Statement:
    tested = material.dossier.judged.evaluation
    text = say(
        "fact.metrics",
        base=say.share(tested.base_rate),
        confidence=say.share(tested.confidence),
        resamples=say.number(tested.resamples),
    )
    return Statement(text, (EVALUATION, POLICY))


def workload(material: Material, say: Words) -> Statement:
    load = material.dossier.judged.burden
    rows = [
        (
            say(f"scorer.{each.name}"),
            estimate(say, each.total.inspected, 0),
            estimate(say, each.total.hits, 1),
            estimate(say, each.total.officer_hours, 0),
            estimate(say, each.total.officer_hours_per_hit, 1),
        )
        for each in load.selections
    ]
    names = ("head.scorer", "head.inspections", "head.hits", "head.officer_hours", "head.hours_per_hit")
    text = say("fact.workload", at=say.share(material.policy.targeting.at_share))
    return Statement(text, (EVALUATION, POLICY), Table([say(head) for head in names], rows))


def inspection_costs(material: Material, say: Words) -> Statement:
    load = material.dossier.judged.burden
    if load.currency is None:
        return Statement(say("fact.inspection_costs.none"), (EVALUATION,), is_open=True)
    rows = [
        (
            say(f"scorer.{each.name}"),
            estimate(say, each.total.cost, 0),
            estimate(say, each.total.cost_per_hit, 0),
            estimate(say, each.total.return_on_inspection, 1),
        )
        for each in load.selections
    ]
    names = ("head.scorer", "head.cost", "head.cost_per_hit", "head.return")
    text = say("fact.inspection_costs", currency=load.currency)
    return Statement(text, (EVALUATION, POLICY), Table([say(head) for head in names], rows))


def coverage(material: Material, say: Words) -> Statement:
    targeting = material.policy.targeting
    found = _at(material.dossier.judged.evaluation.model.at_shares, targeting.at_share)
    rehearsed = material.dossier.judged.rehearsal
    told = say("coverage.not_rehearsed")
    if isinstance(rehearsed, side_by_side.SideBySide):
        told = say(
            "coverage.rehearsed",
            declarations=say.number(rehearsed.declarations),
            inspections=say.number(rehearsed.challenger.inspections),
            against=rehearsed.against.name,
            others=say.number(rehearsed.against.inspections),
        )
    text = say(
        "fact.coverage",
        at=say.share(targeting.at_share),
        recall=share(say, found.recall) if found else DASH,
        revenue=share(say, found.revenue) if found else DASH,
        random=say.share(targeting.random_share),
    )
    return Statement(f"{text} {told}", (EVALUATION, POLICY), is_open=found is None)


def _at(told: Iterable[figures.AtShare], at: float) -> figures.AtShare | None:
    return next((each for each in told if each.share == at and each.by == "score"), None)


def _ratio(group: Group) -> float:
    return group.wasted_ratio.value or 0.0


def _bare(say: Words, value: float | None) -> str:
    return DASH if value is None else say.number(value, 3)


FACTS = (
    changes,
    development,
    computation,
    optimised,
    importance,
    data,
    labels,
    cleaning,
    selection_of_data,
    gates,
    performance,
    at_shares,
    weak_parts,
    groups,
    limits,
    metrics,
    workload,
    inspection_costs,
    coverage,
)

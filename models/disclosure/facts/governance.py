"""Who answers for a version and keeps watch over it, by the ledger, the policy and what monitoring has seen."""

from models.disclosure.facts.development import DRIFT
from models.disclosure.facts.system import MANIFEST, POLICY, code
from models.disclosure.material import LEDGER, MONITORING, Material
from models.disclosure.statement import DASH, Statement, Table
from models.ledger.lifecycle import State
from models.names import CHAMPION, MODEL
from models.retention import FILE as RULES
from models.site import Words

_TOLD = ("open", "approve", "reject", "revoke", "promote", "roll back", "void")
_LATEST = 30  # rows of the history


def version(material: Material, say: Words) -> Statement:
    text = say("fact.version", model=MODEL, version=material.version, digest=material.manifest.digest)
    return Statement(f"{text} {_standing(material, say)}", (MANIFEST, *_ledger(material)))


def stage(material: Material, say: Words) -> Statement:
    return Statement(_standing(material, say), _ledger(material) or (MANIFEST,))


def operational(material: Material, say: Words) -> Statement:
    case = material.case
    if case is None or case.promoted_at is None:
        return Statement(say("fact.operational.none"), _ledger(material) or (MANIFEST,), is_open=True)
    return Statement(say("fact.operational", at=say.moment(case.promoted_at)), (LEDGER,))


def signing_rules(material: Material, say: Words) -> Statement:
    rules = material.policy.signoff
    rows = [(step.name, step.role, say.number(step.signatures)) for step in rules.steps]
    heads = [say(head) for head in ("head.step", "head.role", "head.signatures")]
    files = (POLICY, *code("models/ledger/book.py"))
    return Statement(say("fact.signing_rules", days=say.number(rules.valid_days)), files, Table(heads, rows))


def signatures(material: Material, say: Words) -> Statement:
    """Return who signed and who refused, by name: for papers to authorities."""
    case = material.case
    if case is None or not (case.approvals or case.rejection):
        return Statement(say("fact.signatures.none"), _ledger(material) or (MANIFEST,), is_open=True)
    every = [(each, "signed") for each in case.approvals]
    if case.rejection:
        every.append((case.rejection, "refused"))
    rows = [(each.user, each.step, say(f"did.{what}"), say.moment(each.at), each.reason) for each, what in every]
    heads = [say(head) for head in ("head.who", "head.step", "head.what", "head.when", "head.why")]
    text = say("fact.signatures", count=say.number(len(case.approvals)), digest=case.digest)
    return Statement(text, (LEDGER,), Table(heads, rows))


def signed(material: Material, say: Words) -> Statement:
    """Return how many have signed, without a name: for papers to everybody."""
    case = material.case
    if case is None:
        return Statement(say("fact.signatures.none"), (MANIFEST,), is_open=True)
    refused = sum(each.refusal is not None and each.version == material.version for each in material.entries)
    rows = [
        (step.name, step.role, f"{sum(each.step == step.name for each in case.approvals)} / {step.signatures}")
        for step in case.steps
    ]
    heads = [say(head) for head in ("head.step", "head.role", "head.signatures")]
    is_complete = case.promoted_at is not None or case.awaited(material.at) is None
    text = say("fact.signed", refused=say.number(refused))
    return Statement(text, (LEDGER, *code("models/ledger/book.py")), Table(heads, rows), is_open=not is_complete)


def history(material: Material, say: Words) -> Statement:
    told = [each for each in material.entries if each.is_accepted and each.action in _TOLD]
    if not told:
        return Statement(say("fact.history.none"), _ledger(material) or (MANIFEST,))
    shown = told[-_LATEST:]
    rows = [
        (
            say.moment(each.at),
            say.number(each.version),
            say(f"action.{each.action.replace(' ', '_')}"),
            each.step or DASH,
        )
        for each in shown
    ]
    heads = [say(head) for head in ("head.when", "head.version", "head.what", "head.step")]
    text = say("fact.history", shown=len(shown), rows=len(told), versions=len(material.book.cases))
    return Statement(text, (LEDGER,), Table(heads, rows))


def planned_changes(material: Material, say: Words) -> Statement:
    days = say.number(material.policy.signoff.criterion_days)
    files = (POLICY, *code("flows/retrain.py", "models/ledger/book.py"))
    return Statement(say("fact.planned_changes", days=days), files)


def oversight(material: Material, say: Words) -> Statement:
    desk = material.policy.desk
    hidden = say("oversight.hidden" if desk.is_score_hidden else "oversight.shown")
    text = say("fact.oversight", hidden=hidden, share=say.share(desk.second_look_share))
    files = (POLICY, *code("models/desk/endings.py", "models/desk/looking.py", "models/desk/second_look.py"))
    return Statement(text, files)


def fail_safe(material: Material, say: Words) -> Statement:
    files = code("models/window/making.py", "models/targeting/selector.py", "models/ledger/book.py")
    random = say.share(material.policy.targeting.random_share)
    return Statement(say("fact.fail_safe", random=random), (POLICY, *files))


def retention_rules(material: Material, say: Words) -> Statement:
    days = material.rules.days
    if not days:
        return Statement(say("fact.retention_rules.none"), code("models/retention/rules.py"))
    rows = [(say(f"kept.{table}"), say.number(count)) for table, count in days.items()]
    heads = [say(head) for head in ("head.kept", "head.days")]
    files = (RULES, *code("models/retention/tombstones.py"))
    return Statement(say("fact.retention_rules"), files, Table(heads, rows))


def monitoring(material: Material, say: Words) -> Statement:
    bounds = material.policy.drift
    text = say(
        "fact.monitoring",
        days=say.number(bounds.window_days),
        columns=say.number(bounds.max_drifted_columns),
        threshold=say.number(bounds.column_threshold, 2),
        drop=say.number(bounds.max_roc_auc_drop, 2),
        rows=say.number(bounds.min_rows),
        labelled=say.number(bounds.min_labelled_rows),
    )
    return Statement(text, (POLICY, *code("flows/monitor.py", "models/monitoring/drift.py")))


def monitored(material: Material, say: Words) -> Statement:
    """Return what the nights have said of the version; what was seen when it was registered, until there is a night."""
    if not material.monitored and material.span:
        return Statement(say("fact.monitored.not_then"), (MANIFEST,), is_open=True)
    if not material.monitored:
        return Statement(say("fact.monitored.none", verdict=material.dossier.drift.verdict), (DRIFT,))
    last = material.monitored[-1]
    text = say(
        "fact.monitored",
        looks=say.number(len(material.monitored)),
        first=say.day(material.monitored[0].at.date()),
        last=say.day(last.at.date()),
        breaches=say.number(sum(each.is_breach for each in material.monitored)),
        unjudged=say.number(sum(not each.is_judged for each in material.monitored)),
        verdict=last.verdict,
    )
    return Statement(text, (MONITORING,))


def _standing(material: Material, say: Words) -> str:
    state = material.book.state(material.version, material.at)
    if state is State.CHAMPION and material.case and material.case.promoted_at:
        return say(f"state.{CHAMPION}", since=say.moment(material.case.promoted_at))
    return say(f"state.{state}")


def _ledger(material: Material) -> tuple[str, ...]:
    return (LEDGER,) if LEDGER in material.files else ()


FACTS = (
    version,
    stage,
    operational,
    signing_rules,
    signatures,
    signed,
    history,
    planned_changes,
    oversight,
    fail_safe,
    retention_rules,
    monitoring,
    monitored,
)

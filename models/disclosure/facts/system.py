"""What the system is, whatever the version: its purpose, parts, places and pages, as the installed code has them."""

from features.contract import DECLARATION
from features.matrix import CATALOGUE
from models.disclosure.material import SOFTWARE, Material
from models.disclosure.statement import Statement, Table
from models.names import MODEL
from models.policy import LANES
from models.site import Words

MANIFEST, POLICY = "evidence/evidence.json", "evidence/policy.toml"
MODEL_FILE = "evidence/model/model.json"
_INSTRUCTIONS = ("officer", "desk", "reviewer", "criteria", "auditor", "operator", "data-scientist")
_GUARD = ("models/server/guard.py", "models/access/entrance.py", "models/ledger/chain.py", "models/evidence/seal.py")


def name(material: Material, say: Words) -> Statement:
    return Statement(say("fact.name", model=MODEL), code("models/names.py"))


def identifier(material: Material, say: Words) -> Statement:
    digest = material.manifest.digest
    return Statement(say("fact.identifier", model=MODEL, version=material.version, digest=digest), (MANIFEST,))


def purpose(material: Material, say: Words) -> Statement:
    return Statement(say("fact.purpose"), (POLICY, *code("models/targeting/lanes.py")))


def classification(material: Material, say: Words) -> Statement:
    return Statement(say("fact.classification"), (MODEL_FILE, *code("models/risk/boosting.py")))


def interfaces(material: Material, say: Words) -> Statement:
    files = code("features/reading/files.py", "features/messages/__init__.py", "models/desk/interchange.py")
    return Statement(say("fact.interfaces"), files)


def software(material: Material, say: Words) -> Statement:
    stated = material.manifest
    same = say("software.same" if material.is_code_the_same else "software.other")
    dirty = say("software.dirty") if stated.code.is_dirty else ""
    lock = stated.lock_sha256
    text = say(
        "fact.software",
        commit=stated.code.commit,
        source=stated.code.source_sha256,
        lock=say("software.lock", digest=lock) if lock else say("software.no_lock"),
    )
    return Statement(" ".join(part for part in (text, dirty, same) if part), (MANIFEST,))


def supply(material: Material, say: Words) -> Statement:
    return Statement(say("fact.supply"), code("flows/host/up.py", "models/window/__init__.py"))


def hardware(material: Material, say: Words) -> Statement:
    return Statement(say("fact.hardware"), code("models/risk/boosting.py", "flows/compute/cluster.py"))


def no_product(material: Material, say: Words) -> Statement:
    return Statement(say("fact.no_product"), code("flows/host/up.py"))


def pages(material: Material, say: Words) -> Statement:
    files = code(
        "models/desk_page/page.py", "models/signoff_page/page.py", "models/criteria_page/page.py", "models/site/site.py"
    )
    return Statement(say("fact.pages"), files)


def instructions(material: Material, say: Words) -> Statement:
    """Return the pages of docs/ that are installed: a checkout has them, and a wheel has not."""
    found = [file for each in _INSTRUCTIONS if material.has(file := f"{SOFTWARE}docs/{each}.md")]
    if not found:
        return Statement(say("fact.instructions.none"), (), is_open=True)
    return Statement(say("fact.instructions", count=len(found)), found)


def architecture(material: Material, say: Words) -> Statement:
    files = code("models/risk/risk_model.py", "models/targeting/selector.py", "models/desk/__init__.py")
    return Statement(say("fact.architecture"), files)


def logic(material: Material, say: Words) -> Statement:
    model, policy = material.dossier.model, material.policy
    text = say(
        "fact.logic",
        calibration=model.calibration.kind,
        critical=say.share(policy.targeting.critical_probability),
        random=say.share(policy.targeting.random_share),
    )
    lanes = [(lane, getattr(policy.targeting.lanes, lane)) for lane in LANES]
    rows = [
        (
            say(f"lane.{lane}"),
            say.share(own.capacity_share),
            say.share(own.detects),
            say.number(own.officer_hours, 2),
            say.number(own.delay_hours, 1),
        )
        for lane, own in lanes
    ]
    heads = ("head.lane", "head.places", "head.detects", "head.officer_hours", "head.delay_hours")
    return Statement(text, (MODEL_FILE, POLICY), Table([say(head) for head in heads], rows))


def outputs(material: Material, say: Words) -> Statement:
    return Statement(say("fact.outputs"), code("models/risk/risk_model.py", "models/reasons/explain.py"))


def inputs(material: Material, say: Words) -> Statement:
    names = material.dossier.model.encoder.names
    text = say("fact.inputs", features=say.number(len(names)), columns=say.number(len(DECLARATION)))
    return Statement(text, (MODEL_FILE, *code("features/contract.py")))


def demographics(material: Material, say: Words) -> Statement:
    names = set(material.dossier.model.encoder.names)
    families = sorted({feature.family for feature in CATALOGUE if feature.name in names})
    countries = sum("country" in column for f in CATALOGUE if f.name in names for column in f.entity)
    text = say("fact.demographics", families=", ".join(families), countries=say.number(countries))
    return Statement(text, (MODEL_FILE, *code("features/contract.py")))


def personal_data(material: Material, say: Words) -> Statement:
    text = say("fact.personal_data")
    if material.is_simulated:
        text = f"{text} {say('simulated')}"
    return Statement(text, (MANIFEST, *code("features/contract.py", "models/desk/tables.py")))


def custom_code(material: Material, say: Words) -> Statement:
    return Statement(say("fact.custom_code", commit=material.manifest.code.commit), (MANIFEST,))


def third_party_models(material: Material, say: Words) -> Statement:
    return Statement(say("fact.third_party_models"), code("models/risk/boosting.py", "models/training/fitting.py"))


def security(material: Material, say: Words) -> Statement:
    return Statement(say("fact.security"), code(*_GUARD))


def code(*files: str) -> tuple[str, ...]:
    """Return the names under which papers cite files of the installed code."""
    return tuple(f"{SOFTWARE}{file}" for file in files)


FACTS = (
    name,
    identifier,
    purpose,
    classification,
    interfaces,
    software,
    supply,
    hardware,
    no_product,
    pages,
    instructions,
    architecture,
    logic,
    outputs,
    inputs,
    demographics,
    personal_data,
    custom_code,
    third_party_models,
    security,
)

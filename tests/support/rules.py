"""Rules over a real ledger, for the tests of what they say; what MLflow has stored is made up."""

from types import SimpleNamespace

import pytest
from mlflow.entities.model_registry import ModelVersion

from models.access.call import Call
from models.ledger.book import ADMINISTRATOR, SERVICE
from models.ledger.chain import Entry
from models.ledger.keys import Keys
from models.ledger.storage import Ledger, Table
from models.names import MODEL
from models.policy import load
from models.server import stored
from models.server.admission import Unjudged
from models.server.rules import Rules

ROLES = {
    "ana": ("risk-analyst",),
    "rea": ("reviewer",),
    "rob": ("reviewer",),
    "dan": ("data-scientist",),
    "pia": ("analyst",),
    "pol": ("analyst",),
    "max": ("data-scientist", "risk-analyst"),
    "root": (ADMINISTRATOR, "reviewer", "risk-analyst"),
    SERVICE: ("service",),
}
NUMBERS = {"risk-analyst": 1, "reviewer": 2, "data-scientist": 3, "auditor": 4, "service": 5, "analyst": 6}
RUN, LOGGED = "1" * 32, f"m-{'2' * 32}"


class Store:
    """Versions 1 to 3, made by max, with evidence that tests can alter."""

    def __init__(self):
        self.digests = {number: f"{number}" * 64 for number in (1, 2, 3)}
        self.differences, self.faults, self.unjudged, self.unreadable = (), (), "", ""
        self.looks, self.judged = [], []
        self.tags = {"author": "max", "evidence_digest": "x"}

    def version(self, number):
        if number not in self.digests:
            return None
        return ModelVersion(MODEL, str(number), 0, tags=[SimpleNamespace(key=k, value=v) for k, v in self.tags.items()])

    def find_evidence(self, found, sealed, is_thorough):
        self.looks.append((int(found.version), sealed, is_thorough))
        if self.unreadable:
            raise Unjudged(self.unreadable)
        return stored.Finding(self.digests[int(found.version)], self.differences)

    def admit(self, found):
        self.judged.append(int(found.version))
        if self.unjudged:
            raise Unjudged(self.unjudged)
        digest = self.digests[int(found.version)]
        return stored.Admission(self.faults, digest, f"seal of {digest}")


# Names that look like those of others, that a list of names would split, or that a terminal or HTTP would misread.
NAMES_OF_NOBODY = [
    "REA",
    "rea",
    "rea, rob",
    "rea,rob",
    " rea",
    "rea ",
    "r\u00e9a",
    "r\u0435a",
    "a:b",
    "a b",
    "",
    ".a",
    "a\n",
]
NAMES_OF_NOBODY += ["tidewaiter-up", "Tidewaiter-MLflow", "TIDEWAITER", "MLflow-Server"]


@pytest.fixture
def store(monkeypatch):
    made = Store()
    monkeypatch.setattr(stored, "version", made.version)
    monkeypatch.setattr(stored, "find_evidence", made.find_evidence)
    monkeypatch.setattr(stored, "authors", lambda found: ("max",))
    monkeypatch.setattr(stored, "numbers", lambda: list(made.digests))
    monkeypatch.setattr(stored, "frozen", lambda: frozenset({RUN, LOGGED}))
    monkeypatch.setattr(stored, "kept_experiments", lambda: frozenset({"7"}))
    return made


@pytest.fixture
def table(tmp_path):
    made = Table(f"sqlite:///{tmp_path}/ledger.db")
    yield made
    made.close()


@pytest.fixture
def told():
    return []


@pytest.fixture
def rules(store, table, tmp_path, told, grants, numbers):
    keys = Keys(tmp_path / "signoff")
    keys.make()
    ledger = Ledger(table, keys.private_key, keys.head_file, load().signoff)
    return Rules(
        ledger,
        changed=lambda: told.append(1),
        grant=lambda name: grants.get(name, "version: EDIT"),
        role_numbers=lambda: numbers,
        accounts=lambda: {"rea", "dan", "max"},
        admit=store.admit,
    )


@pytest.fixture
def grants():
    """Return what MLflow lets an account do, where it is not the usual."""
    return {}


@pytest.fixture
def numbers():
    """Return the roles that MLflow has."""
    return dict(NUMBERS)


def call(who, method, route, /, **body):
    held = {name: NUMBERS[name] for name in ROLES[who] if name in NUMBERS}
    return Call(method, f"mlflow/{route}", who, ROLES[who], "10.1.1.1", f"{method} /x", body, held)


def tagging(who, key, value, version="1"):
    return call(who, "POST", "model-versions/set-tag", name=MODEL, version=version, key=key, value=value)


def signing(who, step, value="approved: sound", version="1"):
    return tagging(who, f"signoff.{step}", value, version)


def aliasing(who, alias="champion", version="1", method="POST"):
    return call(who, method, "registered-models/alias", name=MODEL, alias=alias, version=version)


def approve(rules, version="1"):
    for who, step in (("ana", "technical"), ("rea", "governance"), ("rob", "governance")):
        rules.judge(signing(who, step, version=version))


def promote(rules, version="1"):
    approve(rules, version)
    rules.judge(aliasing(SERVICE, version=version))


def entries(table):
    return [Entry.model_validate_json(row.entry) for row in table.rows()]


def last(table):
    return entries(table)[-1]

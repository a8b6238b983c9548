"""What stands behind a version: who signed, over which evidence, for which model; each of these may be another."""

import pytest
from mlflow.exceptions import MlflowException

from models.evidence import digests, manifest, source_code
from models.trace import Ledger
from models.trace.version import behind
from tests.support.signing import POLICY, entry, on, promotion

MODEL = "b" * 64
STATED = manifest.Manifest(
    code=source_code.Code(commit="c" * 40, is_dirty=False, source_sha256="d" * 64),
    data_version="a" * 32 + ".dir",
    lock_sha256=None,
    window={"train": "2024-01-01/2024-02-01"},
    files={**dict.fromkeys(manifest.FILES, "e" * 64), "model/model.json": MODEL},
)
OTHER = STATED.model_copy(update={"data_version": "f" * 32 + ".dir"})


AROUND = (on(1), on(2))


def signed(version=1, day=0.0, stated=STATED):
    """Return what makes a version champion, over a manifest."""
    return [each.model_copy(update={"digest": stated.digest}) for each in promotion(version, day)]


def found(entries, *, version="1", digest=MODEL, span=AROUND, stored=STATED):
    def read(number):
        if isinstance(stored, Exception):
            raise stored
        if stored is None:
            raise FileNotFoundError(f"version {number} has no file evidence.json")
        return stored if isinstance(stored, bytes) else digests.canonical(stored.model_dump())

    return behind(version, digest, span, Ledger.of(entries, POLICY) if entries is not None else None, read)


def states(behind):
    return {link.name: (link.state, link.why) for link in behind.links}


HELD = {"promotion": ("held", ""), "evidence": ("held", ""), "model": ("held", "")}


def test_all_of_it_holds_and_is_told():
    it = found(signed())
    assert states(it) == HELD
    assert it.model.evidence == STATED.digest
    assert [(each.user, each.step, each.reason) for each in it.model.signers] == [
        ("ann", "technical", "sound"),
        ("bob", "governance", "sound"),
        ("cid", "governance", "sound"),
    ]
    assert (it.model.promoted_at, it.model.data_version, it.model.code_commit) == (on(0), "a" * 32 + ".dir", "c" * 40)
    assert (it.case.version, it.evidence) == (1, STATED)


def test_later_champions_change_nothing():
    later = [each for version in (2, 3, 4) for each in signed(version, version * 10.0, OTHER)]
    assert found(signed() + later) == found(signed())


def test_signatures_that_had_run_out_by_the_promotion_are_none():
    again = entry("approve", "dee", 1, "technical", 40, digest=STATED.digest)
    first, *rest = signed()
    entries = [
        first,
        rest[0],
        *(each.model_copy(update={"at": on(20)}) for each in rest[1:3]),
        again,
        rest[3].model_copy(update={"at": on(41)}),
    ]
    it = found(entries, span=(on(42), on(43)))
    assert [each.user for each in it.model.signers] == ["bob", "cid", "dee"]


OTHERWISE = "version 1 was not in force then; by the ledger it was from 2024-03-05 00:00 to 2024-03-15 00:00"
UNKNOWN = "no row of the ledger follows on the decision, which may have come before the promotion"


@pytest.mark.parametrize(
    ("span", "told"),
    [
        ((on(1), on(2)), ("held", "")),
        ((None, on(2)), ("held", "")),
        ((on(-2), on(0)), ("held", "")),
        ((on(1), None), ("held", "")),
        ((on(3), on(3)), ("held", "")),
        ((on(-2), None), ("not checked", UNKNOWN)),
        ((None, None), ("not checked", UNKNOWN)),
        ((on(-2), on(-1)), ("broken", OTHERWISE)),
        ((on(11), on(12)), ("broken", OTHERWISE)),
        ((on(11), None), ("broken", OTHERWISE)),
    ],
)
def test_it_must_have_been_in_force_between_the_rows_around_the_decision(span, told):
    assert states(found(signed() + signed(2, 10, OTHER), span=span))["promotion"] == told


def test_a_version_that_was_never_promoted_is_told_so():
    assert states(found(signed()[:-1])) | {"promotion": ("held", "")} == HELD
    assert states(found(signed()[:-1]))["promotion"] == ("broken", "by the ledger version 1 was never promoted")
    assert found(signed()[:-1]).model.signers == ()
    for version in ("7", "x"):
        it = found(signed(), version=version)
        assert [link.state for link in it.links] == ["broken", "not checked", "not checked"]


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (None, "version 1 has no file evidence.json"),
        (OTHER, f"what is stored is {OTHER.digest}, and {STATED.digest} was signed"),
        (b"{", "what is stored as evidence is none: Expecting property name enclosed in double quotes"),
    ],
)
def test_evidence_that_is_gone_or_another_breaks_its_link(stored, why):
    told = states(found(signed(), stored=stored))
    assert told["evidence"][0] == "broken"
    assert told["evidence"][1].startswith(why)
    assert told["model"] == ("not checked", "the evidence does not vouch for a model")


@pytest.mark.parametrize("away", [OSError("the disk is away"), MlflowException("the server is away")])
def test_a_store_that_is_away_says_nothing_of_the_evidence(away):
    told = states(found(signed(), stored=away))
    assert told["evidence"] == ("not checked", f"it cannot be read: {away}")
    assert told["model"][0] == "not checked"


def test_another_model_breaks_its_link():
    told = states(found(signed(), digest="9" * 64))
    assert told["model"] == ("broken", f"the evidence names the model {MODEL}, and {'9' * 64} was asked")
    assert told["evidence"] == ("held", "")


def test_without_the_ledger_nothing_is_known_of_the_version():
    it = found(None)
    assert {link.state for link in it.links} == {"not checked"}
    assert (it.model.version, it.model.digest, it.model.evidence, it.case) == ("1", MODEL, "", None)

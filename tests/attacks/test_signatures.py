"""Signatures that do not count, and tags that look like a signature."""

import pytest

from models.ledger.book import SERVICE
from tests.attacks.scene import ACCOUNTS, OLD, OWN, REIGNING, REJECTED, UNSIGNED, VOID, WAITING, tag
from tests.support.signoff_server import ADMINISTRATOR, AJAX, API

SIGNATURES: dict[str, tuple[str, str, str, str, str]] = {
    "the administrator": (ADMINISTRATOR, "governance", "approved: x", WAITING, "signs nothing"),
    "the administrator rejects": (ADMINISTRATOR, "governance", "rejected: x", WAITING, "signs nothing"),
    "the service": (SERVICE, "governance", "approved: x", WAITING, "signs nothing"),
    "the service rejects": (SERVICE, "governance", "rejected: x", WAITING, "signs nothing"),
    "a data scientist": ("dan", "governance", "approved: x", WAITING, "signed by the role reviewer"),
    "an auditor": ("aud", "governance", "approved: x", WAITING, "signed by the role reviewer"),
    "another step's role": ("ari", "governance", "approved: x", WAITING, "signed by the role reviewer"),
    "another step's role rejects": ("ari", "governance", "rejected: x", WAITING, "signed by the role reviewer"),
    "out of turn": ("rea", "governance", "approved: x", OWN, "comes after technical"),
    "rejection out of turn": ("rea", "governance", "rejected: x", OWN, "comes after technical"),
    "of what one made": ("max", "technical", "approved: x", OWN, f"made version {OWN}"),
    "rejection of what one made": ("max", "technical", "rejected: x", OWN, f"made version {OWN}"),
    "twice": ("ana", "technical", "approved: again", WAITING, "signed technical already"),
    "a step that is complete": ("ari", "technical", "approved: x", WAITING, "has all its signatures"),
    "without a reason": ("rea", "governance", "approved:", WAITING, "needs a reason"),
    "with a blank reason": ("rea", "governance", "approved: \u00a0\t", WAITING, "needs a reason"),
    "with a long reason": ("rea", "governance", "approved: " + "x" * 1001, WAITING, "needs a reason"),
    "with a book for a reason": ("rea", "governance", "approved: " + "x" * 50_000, WAITING, "up to 5000 characters"),
    "without a decision": ("rea", "governance", "yes", WAITING, "is not a decision"),
    "another decision": ("rea", "governance", "promoted: x", WAITING, "is not a decision"),
    "a step that is not": ("rea", "legal", "approved: x", WAITING, "there is no step 'legal'"),
    "a step in capitals": ("rea", "Governance", "approved: x", WAITING, "there is no step 'Governance'"),
    "a step without a name": ("rea", "", "approved: x", WAITING, "there is no step ''"),
    "half a character": ("rea", "governance", "approved: \ud800", WAITING, "is not Unicode text"),
    "of a version that is not": ("rea", "governance", "approved: x", "99", "no version 99"),
    "of a version below": ("rea", "governance", "approved: x", "0", "allowed: a number"),
    "of a rejected version": ("rea", "governance", "approved: x", REJECTED, "nothing more can be signed"),
    "a rejection taken back": ("ana", "technical", "revoked: sorry", REJECTED, "nothing more can be signed"),
    "of a void version": ("ana", "technical", "approved: x", VOID, "was altered"),
    "of the champion": ("ria", "governance", "approved: x", REIGNING, "nothing more can be signed"),
    "the champion rejected": ("ria", "governance", "rejected: x", REIGNING, "nothing more can be signed"),
    "a champion's revoked": ("rea", "governance", "revoked: x", REIGNING, "nothing more can be signed"),
    "of an earlier champion": ("ria", "governance", "rejected: x", OLD, "nothing more can be signed"),
    "another's revoked": ("ari", "technical", "revoked: x", WAITING, "no signature on technical"),
    "while another is signed": (
        "ana",
        "technical",
        "approved: x",
        OWN,
        "waits while people are signing version",
    ),
    "another's version withdrawn": ("rea", "governance", "withdrawn: x", WAITING, "is withdrawn by its author: dan"),
    "withdrawn by the administrator": (ADMINISTRATOR, "technical", "withdrawn: x", OWN, "by its author: max"),
    "a champion withdrawn": ("dan", "technical", "withdrawn: x", REIGNING, "nothing more can be signed"),
    "revoked by the administrator": (ADMINISTRATOR, "technical", "revoked: x", WAITING, "signs nothing"),
}


@pytest.mark.parametrize("attack", SIGNATURES)
def test_signatures_that_do_not_count(scene, attack):
    who, step, value, version, sentence = SIGNATURES[attack]
    with scene.refused(who):
        answer = scene.send(who, "POST", f"{AJAX}/model-versions/set-tag", tag(f"signoff.{step}", value, version))
    assert answer.status_code in (400, 403, 404)
    assert sentence in answer.json()["message"]


def test_one_person_does_not_sign_both_steps(scene):
    assert scene.send(
        "two", "POST", f"{API}/model-versions/set-tag", tag("signoff.technical", "approved: x", UNSIGNED)
    ).is_success
    with scene.refused("two"):
        refused = scene.send(
            "two", "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x", UNSIGNED)
        )
    assert "one person signs one step, once" in refused.json()["message"]
    assert scene.send(
        "two", "POST", f"{API}/model-versions/set-tag", tag("signoff.technical", "revoked: x", UNSIGNED)
    ).is_success


@pytest.mark.attempts(len(ACCOUNTS))
@pytest.mark.parametrize(
    "key",
    [
        "Signoff.governance",
        "SIGNOFF.GOVERNANCE",
        " signoff.governance",
        "sign\u200boff.governance",
        "\uff53\uff49\uff47\uff4e\uff4f\uff46\uff46.governance",
        "signoff",
        "signoff-governance",
        "Evidence_Digest",
        "author ",
        "mlflow.prompt.text",
        "s\u0456gnoff.governance",  # with a Cyrillic letter
    ],
)
def test_tags_that_look_like_those_that_count(scene, key):
    with scene.refused(*ACCOUNTS):
        for who in ACCOUNTS:
            answer = scene.send(who, "POST", f"{API}/model-versions/set-tag", tag(key, "approved"))
            assert answer.status_code in (400, 403)


def test_what_people_write_cannot_look_like_anothers_signature(scene):
    value = "approved: fine. rob: sound. ria: sound"
    assert scene.send("rea", "POST", f"{AJAX}/model-versions/set-tag", tag("signoff.governance", value)).is_success
    assert scene.server.tags(WAITING)["signoff.governance"].startswith(
        "1 of 2: approved by rea; one more reviewer needed."
    )
    assert scene.send(
        "rea", "POST", f"{AJAX}/model-versions/set-tag", tag("signoff.governance", "revoked: x")
    ).is_success

"""The reviewer's screen over a book of entries and the documents of a small version."""

import re
from datetime import date
from urllib.parse import urlencode

import pytest

from models.access.call import Call, Refused
from models.decisions import Unavailable
from models.decisions.agreement import LiveAgreement
from models.evaluation.figures import Comparison
from models.evaluation.gates import Gate
from models.ledger.chain import Entry
from models.ledger.storage import now
from models.metrics.bootstrap import Estimate
from models.signoff_page.page import SignoffPage
from models.signoff_page.versions import Documents, Unreadable
from tests.support import candidates, requests, signing

WAITING, CHAMPION, REJECTED = 3, 2, 1
_CARD = "# The card\n\n| figure | value |\n| -- | -- |\n| ROC-AUC | 0.81 |\n\n<script>alert(1)</script>\n"


class Versions:
    """Versions by entries in memory, with the small documents of tests/support/candidates.py."""

    def __init__(self, entries):
        self.entries, self.files = (
            entries,
            {"plots/gain.png": b"\x89PNG", "drift.html": b"<p>"},
        )
        self.judged, self.unreadable = candidates.dossier().judged, ""
        self.live = None
        self.unlinked = {}

    def book(self):
        return signing.book_of(*(entry for entry in self.entries if entry.is_accepted))

    def history(self, number):
        return [entry for entry in reversed(self.entries) if entry.version == number]

    def numbers(self):
        return [1, 2, 3, 4]

    def documents(self, number, digest):
        assert digest == signing.digest_of(number)
        if self.unreadable:
            raise Unreadable(self.unreadable)
        return Documents(self.judged, _CARD)

    def file(self, number, name):
        try:
            return self.files[name]
        except KeyError:
            raise FileNotFoundError(name) from None


@pytest.fixture
def versions():
    today = (now() - signing.START).total_seconds() / 86_400 - 1.0
    entries = [
        signing.opening(REJECTED, today),
        signing.entry("reject", "ann", REJECTED, "technical", today, reason="too few rows"),
        *signing.promotion(CHAMPION, today),
        signing.opening(WAITING, today),
        signing.entry("approve", "ann", WAITING, "technical", today, reason="finds <more>"),
    ]
    return Versions(entries)


@pytest.fixture
def page(versions):
    """The page, whose signatures are judged by the book and then in it, as the server's are."""

    def sign(call: Call):
        assert call.name == "mlflow/model-versions/set-tag"
        decision, _, reason = call.text("value").partition(": ")
        action = {"approved": "approve", "rejected": "reject", "revoked": "revoke", "withdrawn": "withdraw"}[decision]
        step, number = call.text("key").removeprefix("signoff."), call.number()
        about = {"version": number, "step": step, "digest": signing.digest_of(number), "reason": reason}
        entry: Entry = call.entry(action, now(), grant="EDIT", **about)
        refusal = versions.book().refusal(entry)
        versions.entries.append(entry.model_copy(update={"refusal": refusal}))
        if refusal:
            raise Refused(refusal)

    def live(version):
        if isinstance(versions.live, Exception):
            raise versions.live
        return versions.live if version == str(WAITING) else None

    return SignoffPage(versions, sign, live, lambda number: versions.unlinked.get(number, []))


def call(who, name="signoff", method="GET"):
    return Call(method, name, who, signing.ROLES[who], "10.0.0.7", f"{method} /{name}", {})


def shown(page, who, name="signoff", **query):
    return page.answer(call(who, name), requests.get(f"/{name}", **query)).body.decode()


def sent(page, who, number=WAITING, **fields):
    name = f"signoff/versions/{number}"
    return page.act(call(who, name, "POST"), requests.post(f"/{name}"), urlencode(fields).encode())


def section(body, title):
    found = re.search(rf"<section[^>]*>\s*<h2[^>]*>{title}</h2>(.*?)</section>", body, re.DOTALL)
    return found[1] if found else ""


def test_who_may_sign_finds_the_version_first_and_others_see_for_whom_it_waits(page):
    assert "version 3" in section(shown(page, "bob"), "Waiting for you")
    for who in ("ann", "eve", "root"):  # another step's, the author, an administrator
        body = shown(page, who)
        assert "version 3" not in section(body, "Waiting for you")
        assert "governance: 2 more (reviewer)" in section(body, "Waiting for others")


def test_the_list_says_who_decides_and_what_became_of_the_others(page):
    body = shown(page, "bob")
    assert "Version 2 decides now." in body
    done = section(body, "Decided")
    assert re.search(
        r"version 2.*champion.*version 1.*refused|version 2.*champion.*version 1.*rejected", done, re.DOTALL
    )
    assert "Versions 4:" in section(body, "Not opened yet")


def test_an_empty_list_says_what_brings_a_version(versions, page):
    versions.entries.clear()
    body = shown(page, "bob")
    assert "No version decides yet" in body
    assert "A retraining that passes its gates brings the next version here." in body


def test_a_version_says_where_it_stands_and_offers_the_step_that_is_the_readers(page):
    body = shown(page, "bob", "signoff/versions/3")
    assert "finds &lt;more&gt;" in body
    assert '<input type="hidden" name="step" value="governance">' in body
    assert 'value="approved"' in body
    assert 'value="revoked"' not in body


def test_who_cannot_sign_reads_why(page):
    body = shown(page, "eve", "signoff/versions/3")
    assert "You cannot sign now: eve made version 3, and so may not sign it." in body
    assert 'value="approved"' not in body


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Nobody can sign this version now: it bears the name of e&lt;e, "),
        ("fr", "Personne ne peut signer cette version maintenant : elle porte le nom de e&lt;e, "),
        ("zh", "目前任何人都不能签署本版本：它署有 e&lt;e 的名字"),
    ],
)
def test_a_version_that_bears_the_name_of_an_unlinked_account_is_not_signed_and_says_what_to_do(
    versions, page, language, told
):
    assert told not in shown(page, "bob", "signoff/versions/3", language=language)
    versions.unlinked = {WAITING: ["e<e", "ann"]}
    body = section(shown(page, "bob", "signoff/versions/3", language=language), "[^<]*")
    assert told in body
    assert "tidewaiter users link e&lt;e SUBJECT" in body
    assert "tidewaiter users link ann SUBJECT" in body
    assert 'value="approved"' not in body
    assert 'value="rejected"' in body  # which nobody gains by
    assert told in shown(page, "eve", "signoff/versions/3", language=language)  # who cannot sign in any case


def test_what_the_local_administrator_made_is_made_again_as_nobody_can_be_linked(versions, page):
    versions.unlinked = {WAITING: ["admin"]}
    body = shown(page, "bob", "signoff/versions/3")
    assert "A person makes it again, under their own account." in body
    assert "users link" not in body
    assert 'value="approved"' not in body


def test_what_is_different_from_the_champion(versions, page):
    body = shown(page, "bob", "signoff/versions/3")
    assert "There was no champion to compare with." in body
    measured = versions.judged.evaluation
    gaps = {"average_precision": Estimate(value=-0.0123, low=-0.03, high=0.004)}
    against = Comparison(version="2", champion=measured.model, differences=gaps)
    about = versions.judged.about.model_copy(update={"changes": ("a new family of features",)})
    versions.judged = versions.judged.model_copy(
        update={"evaluation": measured.model_copy(update={"champion": against}), "about": about}
    )
    body = section(shown(page, "bob", "signoff/versions/3"), "What is different")
    assert "Against the champion, version 2" in body
    assert "a new family of features" in body
    assert re.search(r"-0\.012 <span[^>]*>\[-0\.03, 0\.004\]", body)


def test_a_gate_that_had_nothing_to_judge_by_is_not_among_those_that_were_passed(versions, page):
    passed = Gate(name="roc_auc", passed=True, observed=0.9, bound=0.8, sentence="It reaches 0.8.")
    unjudged = Gate(name="champion", passed=True, observed=None, bound=-0.01, sentence="No champion yet.")
    failed = Gate(name="test_rows", passed=False, observed=3, bound=500, sentence="3 is below 500.")
    for gates, told in (
        ((passed, passed), ["2 of 2 passed"]),
        ((passed, unjudged), ["1 of 2 passed", "1 not judged"]),
        ((passed, unjudged, failed), ["1 of 3 failed", "1 not judged"]),
    ):
        versions.judged = versions.judged.model_copy(update={"gates": gates})
        body = section(shown(page, "bob", "signoff/versions/3"), "What is different")
        assert re.findall(r"\d+ of \d+ \w+|\d+ not judged", body) == told


@pytest.mark.parametrize(
    ("live", "told"),
    [
        (
            LiveAgreement("2", date(2024, 5, 2), date(2024, 5, 9), 1200, 1850, 0.825, 0.912),
            ["1,850 items", "82.5%", "0.912"],
        ),
        (LiveAgreement("2", date(2024, 5, 2), date(2024, 5, 2), 9, 14, None, None), ["14 items", "too few to judge"]),
        (None, ["has not asked this version about anything yet"]),
        (Unavailable("it is <away>"), ["cannot be told now: it is &lt;away&gt;"]),
    ],
)
def test_how_it_agrees_at_the_window_with_the_champion(versions, page, live, told):
    versions.live = live
    body = shown(page, "bob", "signoff/versions/3")
    assert all(words in body for words in told), body


def test_a_signature_is_given_and_taken_back(page):
    answer = sent(page, "bob", step="governance", decision="approved", reason="finds more")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signoff/versions/3")
    body = shown(page, "bob", "signoff/versions/3")
    assert "<b>bob</b>" in body
    assert 'value="approved"' not in body
    sent(page, "bob", step="governance", decision="revoked", reason="too soon")
    assert 'value="approved"' in shown(page, "bob", "signoff/versions/3")


def test_a_refusal_is_shown_with_what_was_typed_and_stays_in_the_history(page):
    answer = sent(page, "eve", step="governance", decision="approved", reason="my <own> work")
    assert answer.status_code == 403
    body = answer.body.decode()
    assert re.search(r'role="alert"><b>Refused:</b> eve made version 3', body)
    assert "approve governance: my &lt;own&gt; work" in section(body, "History")
    answer = sent(page, "bob", step="governance", decision="approved", reason="  ")
    assert "a decision needs a reason" in answer.body.decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "governance", "decision": "approved"},
        {"step": "other", "decision": "approved", "reason": "x"},
        {"step": "governance", "decision": "promoted", "reason": "x"},
    ],
)
def test_a_form_that_is_not_this_pages_signs_nothing(versions, page, fields):
    before = len(versions.entries)
    with pytest.raises(Refused):
        sent(page, "bob", **fields)
    assert len(versions.entries) == before


def test_the_tally_is_looked_at_again_while_something_can_change(page):
    assert 'hx-trigger="every 5s"' in shown(page, "bob", "signoff/versions/3/tally")
    assert "hx-trigger" not in shown(page, "bob", "signoff/versions/1/tally")


def test_the_card_is_shown_whole_and_runs_nothing(page):
    body = shown(page, "bob", "signoff/versions/3")
    assert "<td>0.81</td>" in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body


def test_reports_and_pictures_are_served_to_be_looked_at_only(page):
    for name, kind in (("plots/gain.png", "image/png"), ("drift.html", "text/html; charset=utf-8")):
        answer = page.answer(call("bob", f"signoff/versions/3/{name}"), requests.get("/x"))
        assert answer.headers["content-type"] == kind
        assert "sandbox" in answer.headers["content-security-policy"]
    for name in ("plots/returns.png", "model/MLmodel", "policy.toml", "plots/../card.md", "validation/../card.md"):
        with pytest.raises(Refused, match="has no file"):
            page.answer(call("bob", f"signoff/versions/3/{name}"), requests.get("/x"))


@pytest.mark.parametrize("name", ["signoff/versions/9", "signoff/versions/0", "signoff/versions/3x", "signoff/nothing"])
def test_what_is_not_there_is_refused(page, name):
    with pytest.raises(Refused):
        page.answer(call("bob", name), requests.get("/x"))


@pytest.mark.parametrize(("language", "title"), [("fr", "Approbation"), ("zh", "签核")])
def test_the_page_speaks_the_readers_language(page, language, title):
    assert f"<h1>{title}</h1>" in shown(page, "bob", language=language)
    assert "customs-risk" in shown(page, "bob", "signoff/versions/3", language=language)


def test_a_void_version_takes_no_signature(versions, page):
    altered = {"actor": "mlflow-server", "digest": "0" * 64}
    versions.entries.append(signing.entry("void", "ann", WAITING).model_copy(update=altered))
    versions.unlinked = {WAITING: ["eve"]}
    body = shown(page, "bob", "signoff/versions/3")
    assert "You cannot sign now: version 3 is void: nothing more can be signed." in body
    assert "users link" not in body  # which would not help


def test_what_cannot_be_read_is_said_and_not_left_out(versions, page):
    versions.unreadable = "version 3 has no file card.md"
    body = shown(page, "bob", "signoff/versions/3")
    assert "version 3 has no file card.md. Do not sign what you cannot read." in body
    assert "What is different" not in body


def test_its_author_withdraws_a_version_and_nobody_else_is_offered_that(versions, page):
    offered = 'name="decision" value="withdrawn"'
    assert offered in shown(page, "eve", "signoff/versions/3")
    assert offered not in shown(page, "bob", "signoff/versions/3")
    sent(page, "eve", step="technical", decision="withdrawn", reason="a <column> is wrong")
    body = shown(page, "eve", "signoff/versions/3")
    assert offered not in body
    assert "a &lt;column&gt; is wrong" in section(body, "Where it stands")
    assert "withdrawn" in section(shown(page, "bob"), "Decided")


def test_a_version_that_waits_says_behind_which(versions, page):
    versions.entries.append(signing.opening(4, day=(now() - signing.START).total_seconds() / 86_400))
    assert "while people are signing version 3" in section(shown(page, "ann"), "Waiting for others")
    body = shown(page, "ann", "signoff/versions/4")
    assert "You cannot sign now: version 4 waits while people are signing" in body
    assert 'value="approved"' not in body
    assert 'value="rejected"' in body  # a refusal need not wait

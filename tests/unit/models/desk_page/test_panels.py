"""The panel of what answers for a decision: who sees it, what it says, and that nothing unchecked looks checked."""

import html
import re

import pytest

from models import policy
from models.access.call import Call
from models.desk_page.page import DeskPage
from models.evidence import digests, manifest, source_code
from models.ledger.book import SERVER
from models.ledger.chain import Entry
from models.policy import Desk as Rules
from models.site import LANGUAGES
from models.trace import Tracer, Unchecked, ledger
from tests.support import desks, requests
from tests.support.signing import POLICY, on, promotion

STATED = manifest.Manifest(
    code=source_code.Code(commit="c" * 40, is_dirty=False, source_sha256="d" * 64),
    data_version="a" * 32 + ".dir",
    lock_sha256=None,
    window={"train": "2024-01-01/2024-02-01"},
    files={**dict.fromkeys(manifest.FILES, "e" * 64), "model/model.json": "b" * 64},
)


@pytest.fixture
def world(tmp_path):
    """A desk with a red case, whose decision the ledger has sealed after the promotion of version 3."""
    world = desks.world(tmp_path, Rules(is_score_hidden=True))
    world.declare("red")
    return world


def page(world, entries=None):
    """Return the desk's pages over the world, and over a ledger that has these entries besides."""
    head = world.log.head()
    seal = Entry(at=on(1), actor=SERVER, action="decisions", digest=head.hash, reason=str(head.number))
    signed = [each.model_copy(update={"digest": STATED.digest}) for each in promotion(3)]
    whole = entries if entries is not None else [*signed, seal]
    tracer = Tracer(
        world.log,
        None,
        lambda: ledger.whole(lambda: whole, POLICY),
        lambda number: digests.canonical(STATED.model_dump()),
        Unchecked(),
    )
    return DeskPage(
        world.desk,
        world.log,
        lambda: None,
        lambda name: ("010",),
        lambda name: ("officer",),
        "files",
        policy.load().targeting.lanes,
        trace=lambda case: tracer.decisions(case.declaration_id)[-1],
    )


def shown(page, *roles, who="sue", language="en"):
    call = Call("GET", "desk/cases/1", who, roles, "10.0.0.7", "GET /desk/cases/1", {})
    return page.answer(call, requests.get("/desk/cases/1", language=language)).body.decode()


def rows(body, title="What answers for this decision"):
    (section,) = re.findall(rf'<section aria-label="{title}">(.*?)</section>', body, re.DOTALL)
    cells = re.findall(r"<tr>(<td>.*?)</tr>", section)
    return [tuple(html.unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", row)) for row in cells]


def test_it_names_chance_signers_and_links_and_says_what_is_not_checked_on_a_page(world):
    found = rows(shown(page(world), "supervisor"))
    assert found[:2] == [
        ("item 1", "red: physical inspection · value", "chance of an inspection 25%"),
        ("item 2", "release · value", "chance of an inspection 25%"),
    ]
    assert [row[1] for row in found[2:5]] == [
        "ann, technical: sound",
        "bob, governance: sound",
        "cid, governance: sound",
    ]
    assert found[5:] == [
        ("decision in its log", "20240502-0000000000000001", "holds"),
        ("seal in the ledger", world.log.head().hash, "holds"),
        ("ledger of sign-off", "", "holds"),
        ("version in force", "3", "holds"),
        ("evidence signed", STATED.digest, "holds"),
        ("model asked", "b" * 64, "holds"),
        ("files of the version", "", "not checked"),
        ("data it learned from", "a" * 32 + ".dir", "not checked"),
        ("code that made it", "c" * 40, "not checked"),
        ("decision made again", "", "not checked"),
        ("what was known that morning", "a" * 64, "not checked"),
    ]
    assert "tidewaiter trace D1" in shown(page(world), "supervisor")


def test_a_broken_link_is_named_with_its_reason(world):
    with world.log._tables.writing() as connection:
        connection.exec_driver_sql("UPDATE decisions SET office = '999'")
    found = {name: state for name, _, state in rows(shown(page(world), "supervisor"))}
    assert found["decision in its log"] == "BROKEN: decision 1 is filed as something that it does not say"
    assert found["seal in the ledger"] == "not checked: the chain does not reach the seal"


@pytest.mark.parametrize(
    ("roles", "gives_impression", "sees"),
    [
        (("supervisor",), False, True),
        (("officer",), True, False),
        (("officer", "auditor"), False, False),  # the score is hidden from them, and the panel would tell it
        (("officer", "auditor"), True, True),
    ],
)
def test_it_is_for_supervisors_and_for_auditors_from_whom_nothing_is_hidden(world, roles, gives_impression, sees):
    world.desk.queue.take(desks.ANA, 1)
    if gives_impression:
        world.desk.looking.give_impression(desks.ANA, 1, "clear")
    assert ("What answers for this decision" in shown(page(world), *roles, who="ana")) is sees


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_link_has_a_name_in_every_language(world, language):
    body = shown(page(world, entries=[]), "supervisor", language=language)
    titles = {"en": "What answers for this decision", "fr": "Ce qui répond de cette décision", "zh": "本决定的依据"}
    assert len(rows(body, titles[language])) == 2 + 11

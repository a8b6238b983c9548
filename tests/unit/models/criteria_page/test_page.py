"""The page of criteria over a register in memory: what is written, tried, and put in force by two people."""

import re
from datetime import UTC, date, datetime
from urllib.parse import urlencode

import pytest

from models.access.call import Call, Refused
from models.criteria import Register, Step, criterion, figures
from models.criteria_page.page import CriteriaPage
from models.metrics.bootstrap import Estimate
from tests.support import requests

NOW = datetime(2024, 5, 2, 9, tzinfo=UTC)
ROLES = {"ann": ("analyst",), "abe": ("analyst",), "aud": ("auditor",)}
WRITTEN = {
    "name": "shoes-of-v",
    "lane": "red",
    "places": "2",
    "begins_on": "2024-05-02",
    "ends_on": "2024-05-16",
    "column_1": "hs_code",
    "operator_1": "begins with",
    "values_1": "6403; 6404",
    "column_3": "value_per_kg",
    "operator_3": "below",
    "values_3": "12.5",
    "reason": "seen at <berth> 4",
}
RATE = figures.Rate.of(3, 12)
NO_RATE = figures.Rate.of(0, 0)


class World:
    """A register that takes steps as the ledger does; `nothing_stored` is why nothing can be tried."""

    def __init__(self):
        self.register, self.tried, self.nothing_stored = Register(), [], ""

    def take(self, call):
        assert call.name == "tidewaiter/criteria"
        body = call.body
        written = criterion.read(body["criterion"]) if "criterion" in body else None
        digest = (written or self.register.named(body["name"]).criterion).digest
        step = Step(body["step"], call.actor, NOW, digest, body["reason"], written, 90 if written else None)
        if refusal := self.register.refusal(step):
            raise Refused(refusal)
        self.register.apply(step)

    def preview(self, asked, weeks):
        if self.nothing_stored:
            raise ValueError(self.nothing_stored)
        self.tried.append((asked, weeks))
        load = figures.Load(office="010", met=31, most_a_day=4, places=20)
        return figures.Preview(
            begins_on=date(2024, 3, 7),
            ends_on=date(2024, 5, 1),
            declared=12_345,
            met=31,
            met_a_day=0.55,
            offices=(load,),
            found=RATE,
            others=figures.Rate.of(10, 200),
            by_value=NO_RATE,
            displaced=figures.Displaced(places=9, displaced=7, found=RATE),
        )

    def beside(self, register):
        if self.nothing_stored:
            raise ValueError(self.nothing_stored)
        return [
            figures.Beside(
                name=each.criterion.name,
                state="in force",
                begins_on=date(2024, 5, 2),
                ends_on=date(2024, 5, 2),
                placed=15,
                waiting=3,
                own=RATE,
                by_value=figures.Rate.of(20, 100),
                by_chance=NO_RATE,
            )
            for each in register
        ]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def page(world):
    return CriteriaPage(lambda: world.register, lambda: 90, world.preview, world.beside, world.take, lambda: NOW)


def shown(page, who="ann", **query):
    call = Call("GET", "criteria", who, ROLES[who], "10.0.0.7", "GET /criteria", {})
    return page.answer(call, requests.get("/criteria", **query)).body.decode()


def sent(page, to="new", who="ann", **fields):
    call = Call("POST", f"criteria/{to}", who, ROLES[who], "10.0.0.7", f"POST /criteria/{to}", {})
    return page.act(call, requests.post(f"/criteria/{to}"), urlencode(fields).encode())


def proposed(page, who="ann", **changed):
    return sent(page, who=who, do="propose", **{**WRITTEN, **changed})


def test_a_criterion_is_tried_on_past_weeks_and_nothing_typed_is_lost(world, page):
    answer = sent(page, do="preview", **WRITTEN)
    ((tried, weeks),) = world.tried
    assert weeks == 8
    assert [str(each) for each in tried.conditions] == ["hs_code begins with 6403, 6404", "value_per_kg below 12.5"]
    body = answer.body.decode()
    assert "31 of 12,345 declared items from 2024-03-07 to 2024-05-01 meet it: 0.55 a day." in body
    assert re.search(r"<td>010</td><td class=.number.>31</td><td class=.number.>4</td><td class=.number.>20</td>", body)
    assert "given 9 places to items that were released, and taken 7 of them" in body
    assert re.search(r"25% <span[^>]*>\[8.9%, 53.2%\], 3 of 12</span>", body)
    assert 'value="6403; 6404"' in body
    assert "seen at &lt;berth&gt; 4</textarea>" in body
    assert list(world.register) == []


def test_one_proposes_and_another_confirms(world, page):
    assert proposed(page).status_code == 303
    (standing,) = world.register
    own, others = shown(page), shown(page, "abe")
    assert "Another analyst confirms or refuses it." in own
    assert 'value="confirm"' not in own
    assert f'name="name" value="{standing.criterion.name}"' in others
    answer = sent(page, "step", "ann", step="confirm", name="shoes-of-v", reason="me too")
    assert (answer.status_code, b"ann proposed shoes-of-v: another person has to confirm it" in answer.body) == (
        403,
        True,
    )
    assert sent(page, "step", "abe", step="confirm", name="shoes-of-v", reason="agreed").status_code == 303
    body = shown(page)
    assert "in force" in body
    assert "abe, 2024-05-02 09:00 UTC: agreed" in body
    assert "15 placed, 3 without a result yet" in body
    assert 'value="withdraw"' in body
    sent(page, "step", "ann", step="withdraw", name="shoes-of-v", reason="enough seen")
    assert re.search(r"Ended</summary>.*withdrawn", shown(page), re.DOTALL)


def test_who_is_no_analyst_reads_and_is_told_who_writes(page):
    proposed(page)
    body = shown(page, "aud")
    assert "shoes-of-v" in body
    assert "<form" not in body
    assert "written and confirmed by the role analyst" in body


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"values_3": "cheap"}, "value_per_kg is compared with &#39;cheap&#39;; allowed: a number"),
        ({"begins_on": "soon"}, "begins_on is &#39;soon&#39;; allowed: a day"),
        ({"places": "many"}, "places is &#39;many&#39;"),
        ({"places": "0"}, "places is 0"),
        ({"operator_1": "below"}, "hs_code is compared with &#39;6403&#39;"),
        ({"values_1": " ; "}, "conditions.0.values is"),
        ({"name": "Shoes!"}, "name is &#39;Shoes!&#39;"),
        ({"ends_on": "2024-04-30"}, "ends_on is 2024-04-30; allowed: 2024-05-02"),
        ({"lane": "green"}, "lane is &#39;green&#39;"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words_with_what_was_typed(world, page, changed, why):
    for do in ("preview", "propose"):
        answer = sent(page, do=do, **{**WRITTEN, **changed})
        body = answer.body.decode()
        if "compared with &#39;6403&#39;" in why:
            why = "hs_code"
        assert answer.status_code in (400, 403)
        assert why in body
        assert "seen at &lt;berth&gt; 4</textarea>" in body
    assert list(world.register) == []


def test_nothing_to_try_it_on_is_said(world, page):
    world.nothing_stored = "nothing is stored yet: `tidewaiter retrain` brings declarations in"
    assert "nothing is stored yet" in sent(page, do="preview", **WRITTEN).body.decode()
    proposed(page)
    assert "What they have found is unknown: nothing is stored yet" in shown(page)


def test_an_empty_page_says_what_to_do(page):
    assert "No criterion is proposed or in force. An analyst writes one below." in shown(page)


@pytest.mark.parametrize(("language", "title"), [("fr", "Critères de sélection"), ("zh", "人工选查规则")])
def test_the_page_speaks_the_readers_language(world, page, language, title):
    proposed(page)
    body = shown(page, language=language)
    assert f"<h1>{title}</h1>" in body
    assert "hs_code begins with" in body


@pytest.mark.parametrize("name", ["old", "step/x"])
def test_nothing_is_sent_to_other_addresses(page, name):
    assert sent(page, name, **WRITTEN).status_code == 404


def test_a_figure_without_inspections_is_none(page):
    assert Estimate(value=None, reason="no inspection has a result") == NO_RATE.rate
    assert "no inspection has a result" in sent(page, do="preview", **WRITTEN).body.decode()

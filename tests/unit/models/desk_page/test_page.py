"""The desk's pages over a desk in a folder: what officers see, send, and are refused."""

import io
import re
from datetime import timedelta
from urllib.parse import urlencode

import msgspec
import pytest
from PIL import Image

from models import policy
from models.access.call import Call
from models.access.call import Refused as Closed
from models.database import Unavailable
from models.decisions.log import Document
from models.decisions.record import Decision, Reason, linked
from models.desk.cases import PAGE
from models.desk.record import KINDS
from models.desk_page.page import DeskPage
from models.desk_page.panels import _PAST
from models.policy import Desk as Rules
from tests.support import desks, requests

ROLES = {"ana": ("officer",), "ben": ("officer",), "sue": ("supervisor",), "eve": ("officer",), "rea": ("reviewer",)}
OFFICES = {"ana": ("010",), "ben": ("010",), "sue": ("010", "020"), "eve": ("020",)}
DECLARED = {
    "hs_code": "640399",
    "goods_description": "shoes <b>ladies</b>",
    "item_value": 12500.5,
    "currency": "USD",
    "importer_id": "I & 42",
    "seller_id": "S-7",
}
REASON = "The importer's hit rate is well above the usual."


@pytest.fixture
def world(tmp_path):
    return desks.world(tmp_path, Rules(is_score_hidden=True))


@pytest.fixture
def page(world):
    return over(world)


def over(world, prepare=lambda: None, night=None):
    offices, roles = (lambda name: OFFICES.get(name, ())), (lambda name: ROLES.get(name, ()))
    return DeskPage(world.desk, world.log, prepare, offices, roles, "files", policy.load().targeting.lanes, night)


def rich(decision: Decision, features: str = "", values: tuple = ()) -> Decision:
    items = tuple(
        msgspec.structs.replace(
            item, score=0.4257, expected_revenue=1234.5, reasons=(Reason("importer", 1.2, "up", REASON),)
        )
        for item in decision.items
    )
    declared = tuple({**row, **DECLARED} for row in decision.declared)
    told = {"feature_names": features, "features": (values,) * len(items)} if features else {}
    return msgspec.structs.replace(decision, items=items, declared=declared, **told)


def declare(world, *lanes, office="010"):
    number = world.log.head().number
    world.decide(*(rich(desks.placed(number + place, lane, office=office)) for place, lane in enumerate(lanes, 1)))


def opened_by(world, page, decision, listed):
    """Have the window's decision opened at the desk; `listed` are the names of its features."""
    told = {"f" * 64: Document("application/json", msgspec.json.encode([(name, "numeric") for name in listed]))}
    world.log.append(list(linked([decision], 0, world.log.head().hash)), told)
    text(page, "ana")


def shown(page, who, name="desk", **query):
    call = Call("GET", name, who, ROLES[who], "10.0.0.7", f"GET /{name}", {})
    return page.answer(call, requests.get(f"/{name}", **query))


def text(page, who, name="desk", **query):
    return shown(page, who, name, **query).body.decode()


def sent(page, who, name, body=b"", accept="text/html", **fields):
    call = Call("POST", name, who, ROLES[who], "10.0.0.7", f"POST /{name}", {})
    return page.act(call, requests.post(f"/{name}", {"accept": accept}), body or urlencode(fields).encode())


def filed(page, who, number, **fields):
    return sent(page, who, f"desk/cases/{number}/finding", **{"key": "k-1", "what": "nothing", **fields})


def actions(body):
    return set(re.findall(r'action="/desk/cases/\d+/([a-z-]+)"', body))


def test_the_queue_has_the_cases_of_the_officers_offices_by_time_limit(world, page):
    declare(world, "blue", "yellow", "green")
    declare(world, "red", office="020")
    body = text(page, "ana")
    assert re.findall(r">case (\d+)</a>", body) == ["2", "1"]  # documents have four hours, an audit a month
    assert re.findall(r">case (\d+)</a>", text(page, "eve")) == ["3"]
    assert re.findall(r">case (\d+)</a>", text(page, "sue", office="020")) == ["3"]
    assert re.findall(r">case (\d+)</a>", text(page, "ana", lane="blue")) == ["1"]


def test_a_long_queue_is_paged_without_losing_a_case(world, page):
    declare(world, *["red"] * 120)
    found, path = [], "desk"
    query = {}
    while True:
        body = text(page, "ana", path, **query)
        found += re.findall(r">case (\d+)</a>", body)
        following = re.search(r'href="/desk\?after=([^"&]+)"', body)
        if following is None:
            break
        query = {"after": following[1].replace("%3A", ":").replace("%2B", "+")}
    assert found == [str(number) for number in range(1, 121)]


@pytest.mark.parametrize("after", ["x", "2024-05-02T10:00:00~1", "2024-05-02T10:00:00+09:00~x", "~", "9" * 30])
def test_a_place_in_the_queue_that_is_none_begins_at_the_top(world, page, after):
    declare(world, "red")
    assert ">case 1</a>" in text(page, "ana", after=after)


def test_empty_pages_say_what_to_do_next(world, page):
    assert "No case waits in your offices." in text(page, "ana")
    assert "No customs office is yours yet" in text(page, "rea")
    assert "tidewaiter users offices rea OFFICE" in text(page, "rea")
    answer = sent(page, "ana", "desk/next")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk?empty=1")
    assert "No case is free now" in text(page, "ana", empty="1")


def test_the_next_case_is_taken_and_shown(world, page):
    declare(world, "blue", "red")
    assert sent(page, "ana", "desk/next").headers["location"] == "/desk/cases/2"
    assert sent(page, "ben", "desk/next").headers["location"] == "/desk/cases/1"
    body = text(page, "ana", "desk/cases/2")
    assert "held by ana" in body
    assert actions(body) >= {"finding", "give-back", "hand-over", "impression"}
    assert actions(text(page, "ben", "desk/cases/2")) == set()


def test_the_score_is_hidden_until_the_first_impression_and_from_those_without_the_case(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    assert REASON not in text(page, "ana", "desk/cases/1")
    sent(page, "ana", "desk/cases/1/impression", impression="suspicious")
    body = text(page, "ana", "desk/cases/1")
    assert REASON.replace("'", "&#39;") in body
    assert "42.6%" in body
    assert "USD 1,234" in body
    assert "42.6%" not in text(page, "ben", "desk/cases/1")
    assert "42.6%" in text(page, "sue", "desk/cases/1")


def test_chance_and_rule_look_like_all_others(world, page):
    """Whatever the reason for the place, the page is the same but for the case's own numbers."""
    made = desks.placed(1), desks.placed(2)
    for decision, reason in zip(made, ("random", "value"), strict=True):
        items = tuple(msgspec.structs.replace(item, reason=reason, probability=0.01) for item in decision.items)
        world.decide(rich(msgspec.structs.replace(decision, items=items)))
    bodies = []
    for number in ("1", "2"):
        sent(page, "ana", f"desk/cases/{number}/take")
        sent(page, "ana", f"desk/cases/{number}/impression", impression="clear")
        body = text(page, "ana", f"desk/cases/{number}")
        bodies.append(re.sub(r'(case |cases/|D)[12]\b|name="key" value="[^"]+"|\d\d:\d\d', "", body))
    assert bodies[0] == bodies[1]


def test_what_was_declared_is_shown_as_text(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    body = text(page, "ana", "desk/cases/1")
    assert "shoes &lt;b&gt;ladies&lt;/b&gt;" in body
    assert "12,500.5" in body
    assert 'href="/network?source=files&amp;company=importer%3AI+%26+42"' in body


def test_earlier_inspections_are_those_known_in_the_morning(world, page):
    names = [name for three in _PAST.values() for name in three]
    inspected, hits, since = 0.25, 0.4, 17.0
    opened_by(world, page, rich(desks.placed(1), "f" * 64, (inspected, hits, since) * 3), names)
    body = text(page, "ana", "desk/cases/1")
    assert re.search(r"<td>importer</td><td>I &amp; 42</td><td>25%</td><td>40%</td><td>17</td>", body)


SUNDAY = {
    "en": "The declaration was accepted on a Sunday.",
    "fr": "La déclaration a été acceptée un dimanche.",
    "zh": "海关于星期日接受申报。",
}


@pytest.mark.parametrize("language", ["en", "fr", "zh"])
def test_reasons_are_said_in_the_readers_language_where_they_can_be_made_again(world, page, language):
    decision = rich(desks.placed(1), "f" * 64, (7.0,))
    because = (Reason("calendar", 1.2, "raises", SUNDAY["fr"]), Reason("importer", 0.4, "raises", REASON))
    items = tuple(msgspec.structs.replace(item, reasons=because) for item in decision.items)
    opened_by(world, page, msgspec.structs.replace(decision, items=items, language="fr"), ["weekday"])
    body = text(page, "sue", "desk/cases/1", language=language)
    assert body.count(f"<li>{SUNDAY[language]}</li>") == 2
    as_given = REASON.replace("'", "&#39;")
    assert (f"<li>{as_given}</li>" if language == "fr" else f'<li lang="fr">{as_given}</li>') in body
    (kept,) = world.log.versions("D1")
    assert [reason.sentence for reason in kept.items[0].reasons] == [SUNDAY["fr"], REASON]


def test_what_the_night_selected_shows_what_is_stored_and_that_no_reasons_were_kept(world, tmp_path):
    night = desks.night(tmp_path)
    desks.store(night, ("N1", 1), importer_id="I & 42", goods_description="shoes <b>ladies</b>", item_value=12500.5)
    desks.select(night, ("N1", 1, "red"))
    world.desk.cases.follow_night(night, world.log)
    page = over(world, night=night)
    body = text(page, "sue", "desk/cases/1")
    for shown_there in ("shoes &lt;b&gt;ladies&lt;/b&gt;", "12,500.5", "<td>I &amp; 42</td>", "25%"):
        assert shown_there in body
    assert "kept no reasons for its score" in body
    assert "kept no reasons" not in text(page, "ana", "desk/cases/1")  # who is not told the score
    assert "neither in the window&#39;s log nor in the store" in text(over(world), "sue", "desk/cases/1")


def test_a_decision_is_at_the_desk_as_soon_as_the_window_has_answered_and_a_long_log_keeps_nobody_waiting(world, page):
    declare(world, *["red"] * (PAGE + 1))
    assert sent(page, "ana", "desk/next").headers["location"] == "/desk/cases/1"
    assert len(world.every()) == PAGE
    text(page, "ana")
    assert len(world.every()) == PAGE + 1


def test_a_finding_of_nothing_releases_the_case(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    answer = filed(page, "ana", 1, release="1")
    assert answer.status_code == 303
    case = world.desk.looking.open(desks.SUE, 1).case
    assert (case.ending, case.closed_by) == ("released", "ana")


def test_an_infringement_is_filed_with_what_was_found(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    told = {"what": "quantity", "item": "1", "value": "20000.5", "revenue": "812", "mass": "900", "critical": "on"}
    filed(page, "ana", 1, **told, words="  two cartons more ", found_at="2024-05-02T03:00:00.000Z")
    (found,) = world.desk.looking.open(desks.SUE, 1).findings
    assert found.finding == world.finding(
        1,
        key="k-1",
        found_at=found.finding.found_at,
        item_number=1,
        kind="quantity",
        words="two cartons more",
        is_critical=True,
        value=20000.5,
        revenue=812.0,
        net_mass_kg=900.0,
    )
    assert found.finding.found_at.isoformat() == "2024-05-02T03:00:00+00:00"
    body = text(page, "ana", "desk/cases/1")
    assert "two cartons more" in body
    assert not world.desk.looking.open(desks.SUE, 1).case.is_closed


def test_the_same_form_again_comes_to_the_same(world, page):
    """The answer to the first was lost."""
    declare(world, "red")
    sent(page, "ana", "desk/next")
    first = filed(page, "ana", 1, release="1", accept="application/json", found_at="2024-05-02T03:00:00Z")
    again = filed(page, "ana", 1, release="1", accept="application/json", found_at="2024-05-02T03:00:00Z")
    assert msgspec.json.decode(first.body) == {"conflict": "", "is_released": True, "refusal": ""}
    assert again.body == first.body
    assert len(world.desk.looking.open(desks.SUE, 1).findings) == 1


def test_a_finding_that_comes_too_late_is_kept_and_shown_as_such(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    world.clock.wait(hours=2)
    sent(page, "ben", "desk/next")
    filed(page, "ben", 1, key="k-2", release="1")
    told = filed(page, "ana", 1, what="other", item="1", release="1", accept="application/json")
    assert msgspec.json.decode(told.body)["conflict"] == "ben has closed the case"
    body = text(page, "sue", "desk/cases/1")
    assert "A finding of ana came too late (ben has closed the case)." in body
    assert 'action="/desk/cases/1/accept"' in body
    sent(page, "sue", "desk/cases/1/accept", key="k-1", reason="she was first")
    assert 'action="/desk/cases/1/accept"' not in text(page, "sue", "desk/cases/1")


def test_a_case_is_not_released_before_each_item_is_judged(world, page):
    world.decide(rich(desks.placed(1, lanes=("red", "red"))))
    text(page, "ana")
    sent(page, "ana", "desk/next")
    answer = filed(page, "ana", 1, what="origin", item="1", release="1")
    assert answer.status_code == 409
    assert "nothing was found yet of item 2 of case 1" in answer.body.decode()
    assert filed(page, "ana", 1, what="origin", item="1", key="k-3", rest="on", release="1").status_code == 303
    findings = world.desk.looking.open(desks.SUE, 1).findings
    assert [(each.finding.item_number, each.finding.kind) for each in findings] == [
        (1, "origin"),
        (1, "origin"),
        (None, ""),
    ]


def test_a_red_case_is_made_less_by_two_people(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    sent(page, "ana", "desk/cases/1/override", reason="inspected at the port of loading")
    own, others = text(page, "ana", "desk/cases/1"), text(page, "ben", "desk/cases/1")
    assert "/desk/cases/1/confirm" not in own
    assert "/desk/cases/1/confirm" in others
    answer = sent(page, "ana", "desk/cases/1/confirm", reason="I am sure")
    assert (answer.status_code, b"you asked for green yourself" in answer.body) == (409, True)
    sent(page, "ben", "desk/cases/1/confirm", reason="seen the certificate")
    assert world.desk.looking.open(desks.SUE, 1).case.ending == "overridden"


def test_other_offices_cases_do_not_exist(world, page):
    declare(world, "red")
    text(page, "ana")
    for answer in (shown(page, "eve", "desk/cases/1"), sent(page, "eve", "desk/cases/1/take")):
        assert (answer.status_code, b"case 1 does not exist in your offices: 020" in answer.body) == (409, True)
    assert b"does not exist" in shown(page, "rea", "desk/cases/1").body


def test_who_takes_what_another_holds_is_told_who(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    answer = sent(page, "ben", "desk/cases/1/take")
    assert (answer.status_code, b"ana holds case 1 until" in answer.body) == (409, True)


def test_a_case_is_handed_to_an_officer_only(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    assert b"is no officer" in sent(page, "ana", "desk/cases/1/hand-over", to="rea").body
    assert b"is no officer" in sent(page, "ana", "desk/cases/1/hand-over", to="nobody").body
    assert b"cannot go to eve" in sent(page, "ana", "desk/cases/1/hand-over", to="eve").body
    sent(page, "ana", "desk/cases/1/hand-over", to="ben")
    assert "held by ben" in text(page, "ana", "desk/cases/1")


def photo(colour="red"):
    made = io.BytesIO()
    Image.new("RGB", (20, 10), colour).save(made, "JPEG")
    return made.getvalue()


def test_a_photo_is_kept_shown_and_refused_if_it_is_none(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    kept = msgspec.json.decode(sent(page, "ana", "desk/cases/1/photos", photo()).body)["photo"]
    filed(page, "ana", 1, photos=kept)
    assert f'src="/desk/cases/1/photos/{kept}"' in text(page, "ana", "desk/cases/1")
    answer = shown(page, "ana", f"desk/cases/1/photos/{kept}")
    assert answer.media_type == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    answer = sent(page, "ana", "desk/cases/1/photos", b"<svg onload='alert(1)'/>", accept="application/json")
    assert (answer.status_code, b"the photo is none" in answer.body) == (409, True)
    assert shown(page, "eve", f"desk/cases/1/photos/{kept}").status_code == 409


@pytest.mark.parametrize(
    "fields",
    [
        {"value": "much"},
        {"value": "nan"},
        {"value": "-1"},
        {"item": "7"},
        {"item": ""},
        {"what": "smuggling"},
        {"found_at": "yesterday"},
        {"found_at": "2024-05-02T12:00:00"},
        {"key": "k" * 65},
        {"photos": "f" * 64},
    ],
)
def test_a_finding_that_makes_no_sense_is_refused_in_words(world, page, fields):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    answer = filed(page, "ana", 1, **{"what": "undervaluation", "item": "1", **fields})
    assert answer.status_code == 409
    assert re.search(rb'role="alert"><b>Refused:</b> \w', answer.body)
    assert world.desk.looking.open(desks.SUE, 1).findings == ()


def test_every_kind_of_infringement_can_be_chosen_and_has_words(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    body = text(page, "ana", "desk/cases/1")
    assert re.findall(r'name="what" value="(\w+)"', body) == ["nothing", *KINDS]


@pytest.mark.parametrize("language", ["fr", "zh"])
def test_all_that_can_happen_to_a_case_has_words_in_every_language(world, page, language):
    declare(world, "red", "yellow")
    for action, fields in (
        ("take", {}),
        ("take", {}),
        ("impression", {"impression": "clear"}),
        ("give-back", {}),
        ("take", {}),
        ("hand-over", {"to": "ana"}),
        ("override", {"reason": "x"}),
        ("decline", {"reason": "x"}),
        ("finding", {"key": "k", "what": "nothing"}),
        ("release", {}),
    ):
        text(page, "ana")
        sent(page, "ana", f"desk/cases/1/{action}", **fields)
    sent(page, "ana", "desk/cases/2/take")
    sent(page, "ana", "desk/cases/2/pass", lane="red", reason="x")
    for number in ("1", "2"):
        assert "event." not in text(page, "ana", f"desk/cases/{number}", language=language)


@pytest.mark.parametrize(
    "name", ["desk/cases/1", "desk/cases/1/unknown", "desk/cases/0/take", "desk/other", "desk/cases/1/take/" + "a" * 64]
)
def test_nothing_is_sent_to_other_addresses(world, page, name):
    declare(world, "red")
    text(page, "ana")
    with pytest.raises(Closed):
        sent(page, "ana", name)


def test_the_service_worker_may_keep_the_queue_too(page):
    assert shown(page, "ana", "desk/worker.js").headers["service-worker-allowed"] == "/desk"


def test_a_lease_that_ended_is_free_again(world, page):
    declare(world, "red")
    sent(page, "ana", "desk/next")
    world.clock.wait(minutes=61)
    assert 'action="/desk/cases/1/take"' in text(page, "ben", "desk/cases/1")
    assert timedelta(minutes=world.desk.shared.rules.lease_minutes) < timedelta(minutes=61)


def judged(world, page, number, who, **finding):
    sent(page, who, f"desk/cases/{number}/take")
    filed(page, who, number, key=f"{who}-{number}", release="1", **finding)


def test_a_supervisor_sees_what_was_found_against_what_was_expected(world, page):
    declare(world, *["red"] * 5, "yellow")
    text(page, "ana")
    for number in (1, 2, 3):
        judged(world, page, number, "ana", what="quantity", item="1")
    judged(world, page, 4, "ben")
    world.clock.wait(minutes=5)
    body = re.sub(r"<svg.*?</svg>", "", text(page, "sue", "desk/supervision"), flags=re.DOTALL)
    cells = [re.sub("<[^>]+>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", body, re.DOTALL)]
    assert cells[:7] == ["010", "red: physical inspection", "4", "3", "1.7", "", "0"]
    assert "From 2024-04-05 to the end of 2024-05-02" in body
    assert re.search(r"<td>ana</td><td class=.number.>[^<]+</td><td class=.number.>3</td>", body)
    assert text(page, "sue", "desk/supervision", since="2024-01-01", until="2024-01-02").count(
        "No case was open or closed"
    )


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "released without inspection"), ("fr", "mainlevée sans visite"), ("zh", "免查放行")],
)
def test_a_supervisor_sees_how_often_officers_depart_from_what_was_recommended_and_why(world, page, language, told):
    declare(world, "yellow", "yellow")
    text(page, "ana")
    world.desk.queue.take(desks.ANA, 1)
    world.desk.endings.override(desks.ANA, 1, "perishable <b>goods</b>")
    judged(world, page, 2, "ana")
    world.clock.wait(minutes=5)
    body = text(page, "sue", "desk/supervision", language=language)
    section = body[body.index('aria-labelledby="h-departures"') : body.index('aria-labelledby="h-chance"')]
    cells = [re.sub("<[^>]+>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", section, re.DOTALL)]
    assert [each.replace("\xa0", "") for each in cells[2:]] == ["2", "1", "50%", "1", "0", "0"]
    assert f"<span>{told}</span> ana: <span>perishable &lt;b&gt;goods&lt;/b&gt;</span>" in section


def test_two_looks_that_disagree_are_settled_by_a_supervisor(tmp_path):
    world = desks.world(tmp_path, Rules(second_look_share=0.5))
    page = over(world)
    declare(world, *["red"] * 6)
    text(page, "ana")
    for number in range(1, 7):
        judged(world, page, number, "ana")
    number = int(sent(page, "ben", "desk/next").headers["location"].rpartition("/")[2])
    assert number > 6
    judged(world, page, number, "ben", what="origin", item="1")
    body = text(page, "sue", "desk/supervision")
    assert "Two looks disagree" in body
    assert f'action="/desk/cases/{number}/settle"' in body
    answer = sent(page, "sue", f"desk/cases/{number}/settle", reason="the certificate is forged")
    assert answer.headers["location"] == "/desk/supervision"
    assert "Two looks disagree" not in text(page, "sue", "desk/supervision")


@pytest.mark.parametrize(
    ("who", "query", "why"),
    [
        ("ana", {}, "ana is no supervisor"),
        ("sue", {"since": "May"}, "since is &#39;May&#39;; allowed: a day"),
        ("sue", {"since": "2024-05-03", "until": "2024-05-01"}, "since is 2024-05-03, after 2024-05-01"),
    ],
)
def test_figures_are_refused_in_words(world, page, who, query, why):
    answer = shown(page, who, "desk/supervision", **query)
    assert (answer.status_code, why in answer.body.decode()) == (409, True)


def test_while_the_database_is_away_the_page_says_so_and_comes_back(world):
    away = [Unavailable("the database of decisions does not answer: it is away")]

    def prepare():
        if away:
            raise away.pop()

    page = over(world, prepare)
    with pytest.raises(Closed, match="it is away") as refused:
        text(page, "ana")
    assert refused.value.status == 503
    assert "No case waits in your offices." in text(page, "ana")

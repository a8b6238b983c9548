"""What machines are told by HTTP, and what nobody is told."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from lxml import etree
from starlette.testclient import TestClient

from features import messages
from models.access import Directory, Entrance, Lives, Names, PersonalTokens
from models.access.accounts import METRICS, SYSTEM, TRADE
from models.access.tokens import Tokens
from models.decisions import DecisionLog, Spool
from models.ledger import storage
from models.window import app, openapi, telling
from models.window.app import Window
from models.window.deciding import Decider
from tests.support.messages import declaration, in_xml
from tests.support.opened import accounts

TABLES = messages.Tables({("goods_location", "LHRLHRLHR"): "010"}, {("0901", "", ""): 7.5})


@pytest.fixture(scope="module")
def accounts_uri(tmp_path_factory):
    return accounts(f"sqlite:///{tmp_path_factory.mktemp('accounts') / 'accounts.db'}")


@pytest.fixture(scope="module")
def served(world, accounts_uri, tmp_path_factory):
    """Return a client of a window on the world's last day at nine, its tokens by role, and what its ledger was told."""
    folder, ground = tmp_path_factory.mktemp("served"), world.ground()
    with closing(DecisionLog(f"sqlite:///{folder / 'decisions.db'}")) as log:
        decider = Decider(log, Spool(folder / "spool.jsonl"), lambda: ground, world.profile)
        decider.start()
        tokens, noted = Tokens(accounts_uri), []
        entrance = Entrance(Directory(accounts_uri), Names())
        at = datetime.combine(world.day, datetime.min.time(), UTC).replace(hour=9)
        window = Window(decider, log, tokens, entrance, lambda: at, noted.append, TABLES)
        given = {role: tokens.make(f"a-{role}", role, "admin") for role in (SYSTEM, TRADE, METRICS)}
        with TestClient(window.app(), base_url="http://127.0.0.1", headers={"User-Agent": "system/1"}) as client:
            client.window, client.given, client.noted = window, given, noted
            yield client
        decider.stop()
        tokens.close()


def declared(number, **changed):
    return {**openapi.EXAMPLE, "declaration_id": f"E{number}", "transport_document_id": f"MAEU-{number}", **changed}


def ask(client, role, content, accept="*/*", **more):
    token = f"Bearer {client.given[role]}"
    headers = {"Authorization": token, "Content-Type": "application/json", "Accept": accept}
    return client.post("/window/declarations", content=json.dumps(content), headers=headers, **more)


def test_customs_own_system_is_told_lane_score_and_reasons_in_its_language(served):
    answer = ask(served, SYSTEM, declared(1), params={"language": "fr"})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["decisions"]
    assert found["declaration_id"] == "E1"
    assert found["model_version"] == "3"
    (item,) = found["items"]
    assert 0 < item["score"] < 1
    assert 0 < item["selection_probability"] <= 1
    assert len(item["reasons"]) == 3
    assert any(word in item["reasons"][0]["sentence"] for word in (" de ", " du ", " des ", "L'", " la "))
    assert answer.headers["cache-control"] == "no-store"
    assert ask(served, SYSTEM, declared(1)).json()["decisions"] == [found]


def test_a_traders_system_is_told_only_whether_goods_are_held_and_what_to_present(served):
    found = [
        ask(served, TRADE, declared(number, importer_id=f"FR{number}")).json()["decisions"][0]
        for number in range(100, 108)
    ]
    for each in found:
        assert each.keys() == {"declaration_id", "version", "decision_id", "answer", "present"}
        assert (each["answer"], each["present"]) in {
            ("released", ""),
            ("held", "documents"),
            ("held", "goods and documents"),
        }


HOLDING = ("random", "critical", "criterion", "exploration", "value")


def test_customs_own_system_is_told_which_criterion_holds_goods(served):
    (decision,) = served.window.log.versions("E1")
    for reason, name in (("criterion", "watched"), ("value", None)):
        (item,) = telling.in_full(_held(decision, reason))["items"]
        assert (item["reason"], item["criterion"]) == (reason, name)


def test_whatever_holds_goods_a_trader_is_told_the_same(served):
    (decision,) = served.window.log.versions("E1")
    told = {reason: telling.in_brief(_held(decision, reason)) for reason in HOLDING}
    assert len({json.dumps(each) for each in told.values()}) == 1
    assert told["random"]["answer"] == "held"


def _held(decision, reason):
    named = {"reason": reason, "criterion": "watched" if reason == "criterion" else ""}
    items = tuple(msgspec.structs.replace(item, lane="red", score=0.9, **named) for item in decision.items)
    return msgspec.structs.replace(decision, items=items, criteria="c" * 64 if named["criterion"] else "")


def test_a_trader_is_answered_at_whole_steps_of_time(served):
    took = []
    for number in (120, 121, 122):
        answer = ask(served, TRADE, declared(number))
        took.append(answer.elapsed.total_seconds() / app.STEP_S)
    assert all(each >= 1 for each in took)


def test_whoever_asks_for_xml_is_told_in_xml(served):
    in_json = ask(served, SYSTEM, declared(30)).json()["decisions"][0]
    answer = ask(served, SYSTEM, declared(30), accept="application/xml")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
    (response,) = etree.fromstring(answer.content).findall("{*}Response")
    assert response.findtext("{*}FunctionalReferenceID") == in_json["decision_id"]
    assert response.findtext("{*}Declaration/{*}FunctionalReferenceID") == "E30"
    assert response.findtext("{*}Declaration/{*}VersionID") == str(in_json["version"])
    assert ask(served, SYSTEM, declared(30), accept="application/xml").content == answer.content
    text = ask(served, SYSTEM, declared(30), accept="text/xml")
    assert (text.content, text.headers["content-type"]) == (answer.content, "text/xml; charset=utf-8")


def test_a_message_in_xml_is_answered_in_the_form_that_is_asked_for(served):
    headers = {"Authorization": f"Bearer {served.given[SYSTEM]}", "Content-Type": "application/xml"}
    content = in_xml(declaration(declaration_id="X1"))
    answers = [
        served.post("/window/declarations", content=content, headers={**headers, "Accept": accept})
        for accept in ("application/xml", "*/*")
    ]
    assert [each.headers["content-type"] for each in answers] == ["application/xml", "application/json"]
    (response,) = etree.fromstring(answers[0].content).findall("{*}Response")
    (found,) = answers[1].json()["decisions"]
    assert response.findtext("{*}FunctionalReferenceID") == found["decision_id"]


def test_what_a_message_leaves_to_customs_comes_from_their_own_tables(served):
    headers = {"Authorization": f"Bearer {served.given[SYSTEM]}", "Content-Type": "application/xml"}
    left_out = {"DeclarationOfficeID": None, "GoodsShipment/Consignment/GoodsLocation/Name": "LHRLHRLHR"}
    content = in_xml(declaration({"tax_rate_pct": None}, declaration_id="X2"), **left_out)
    answer = served.post("/window/declarations", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    (decision,) = served.window.log.versions("X2")
    assert (decision.office, decision.declared[0]["tax_rate_pct"]) == ("010", 7.5)
    kept = served.window.log.document(decision.tables)
    assert messages.Tables.from_json(kept.content) == TABLES


def test_what_is_wrong_is_told_in_xml_too_of_each_declaration(served):
    wrong = declared(32, items=[{**openapi.EXAMPLE["items"][0], "hs_code": "61", "origin_country": None}])
    long = declared(33, declaration_id="L" * 36)
    answer = ask(served, TRADE, [declared(31), wrong, long], accept="application/xml")
    assert answer.status_code == 200
    decided, refused, too_long = etree.fromstring(answer.content).findall("{*}Response")
    assert decided.findtext("{*}Declaration/{*}FunctionalReferenceID") == "E31"
    assert refused.findtext("{*}Declaration/{*}FunctionalReferenceID") == "E32"
    assert [response.findtext("{*}FunctionCode") for response in (refused, too_long)] == ["03", "03"]
    assert {each.text for each in refused.iter("{*}ValidationCode")} == {"VALUE", "MISSING"}
    assert too_long.findtext("{*}Declaration/{*}FunctionalReferenceID") is None
    assert "L" * 36 in too_long.findtext("{*}Error/{*}Description")
    assert len({each.text for each in answer_ids(answer)}) == 3
    stolen = ask(served, TRADE, wrong, accept="application/xml")
    assert stolen.status_code == 422
    unreadable = ask(served, TRADE, "no declaration", accept="application/xml")
    assert unreadable.status_code == 422
    assert [each.text for each in etree.fromstring(unreadable.content).iter("{*}FunctionCode")] == ["03"]


def answer_ids(answer):
    return [each.find("{*}FunctionalReferenceID") for each in etree.fromstring(answer.content).findall("{*}Response")]


def test_nothing_is_decided_for_whoever_reads_neither_json_nor_xml(served):
    answer = ask(served, SYSTEM, declared(34), accept="text/html, application/json;q=0")
    allowed = "allowed: application/json, application/xml, text/xml"
    assert (answer.status_code, allowed in answer.json()["error"]) == (406, True)
    assert served.window.log.versions("E34") == []


def test_several_declarations_are_decided_or_refused_each_by_itself(served):
    wrong = declared(3, items=[{**openapi.EXAMPLE["items"][0], "hs_code": "61", "origin_country": "XX"}])
    answer = ask(served, SYSTEM, [declared(2), wrong, declared(4)])
    assert answer.status_code == 200
    assert [each["declaration_id"] for each in answer.json()["decisions"]] == ["E2", "E4"]
    refused = {(each["declaration"], each["item"], each["value"]) for each in answer.json()["refused"]}
    assert refused == {("E3", 1, "'61'"), ("E3", 1, "'XX'")}
    assert ask(served, SYSTEM, wrong).status_code == 422


def test_a_declaration_of_two_offices_is_refused(served):
    first = openapi.EXAMPLE["items"][0]
    items = [{**first, "office": "010"}, {**first, "item_number": 2, "office": "020"}]
    shared = {name: value for name, value in declared(13, items=items).items() if name != "office"}
    answer = ask(served, SYSTEM, [shared, declared(14)])
    assert [each["declaration_id"] for each in answer.json()["decisions"]] == ["E14"]
    (refused,) = answer.json()["refused"]
    assert (refused["declaration"], refused["value"]) == ("E13", "010, 020")
    assert refused["allowed"] == "one office for all its items"


def test_an_amended_declaration_is_a_new_version(served):
    first = ask(served, SYSTEM, declared(5)).json()["decisions"][0]
    second = ask(served, SYSTEM, declared(5, importer_id="FR999")).json()["decisions"][0]
    assert (first["version"], second["version"]) == (1, 2)
    assert first["decision_id"] != second["decision_id"]


def test_a_traders_system_amends_no_declaration_of_another(served):
    ask(served, SYSTEM, declared(9))
    stolen = ask(served, TRADE, declared(9, importer_id="FR1"))
    assert stolen.status_code == 422
    assert stolen.json()["refused"][0]["allowed"] == "a reference that no other declarant has used"
    assert len(served.window.log.versions("E9")) == 1
    ask(served, TRADE, declared(10))
    assert ask(served, SYSTEM, declared(10, importer_id="FR1")).json()["decisions"][0]["version"] == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer tw_forged"}, 401),
        ({"Authorization": "Basic YWRtaW46YWRtaW4ncw=="}, 401),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Sec-Fetch-Mode": "navigate"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/window/declarations", "/window/days", "/window/openapi.json", "/window/tokens"])
def test_nobody_is_told_anything(served, headers, status, path):
    method = "POST" if path.endswith("declarations") else "GET"
    answer = served.request(method, path, headers=headers)
    if path.endswith("tokens") and "Basic" in headers.get("Authorization", ""):
        assert answer.status_code == 200  # this is the administrator
    else:
        assert answer.status_code == status
        assert answer.json().keys() == {"error"}


def test_other_forms_languages_and_sizes_are_refused_by_name(served):
    token = {"Authorization": f"Bearer {served.given[SYSTEM]}"}
    csv = served.post("/window/declarations", content=b"a,b", headers={**token, "Content-Type": "text/csv"})
    assert (csv.status_code, "allowed: application/json" in csv.json()["error"]) == (415, True)
    latin = ask(served, SYSTEM, declared(6), params={"language": "la"})
    assert (latin.status_code, "allowed: en, fr, zh" in latin.json()["error"]) == (400, True)
    large = {**token, "Content-Type": "application/json", "Content-Length": str(messages.MOST_BYTES + 1)}
    assert served.post("/window/declarations", content=b"", headers=large).status_code == 413
    assert served.get("/window/elsewhere", headers=token).status_code == 404


def test_while_nothing_can_be_decided_who_asks_is_told_when_to_ask_again(served, monkeypatch):
    monkeypatch.setattr("models.window.deciding.LATEST_S", -1.0)
    answer = ask(served, SYSTEM, declared(7))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert served.window.log.versions("E7") == []


def test_beside_one_sign_on_the_local_administrator_alone_makes_tokens_by_a_password(served, monkeypatch):
    monkeypatch.setattr(served.window.entrance, "is_one_sign_on", True)
    wanted = {"name": "broker-8", "role": TRADE}
    answer = served.post("/window/tokens", json=wanted, auth=("ann", "ann's"))
    assert (answer.status_code, "identity provider" in answer.text) == (401, True)
    assert served.post("/window/tokens", json=wanted, auth=("admin", "admin's")).status_code == 201


def test_who_comes_past_the_identity_provider_is_told_and_not_let_in_if_that_cannot_be_noted(served, monkeypatch):
    told = []

    def past(address):
        told.append(address)
        if len(told) == 1:
            raise storage.NotSigned("the signer is away")

    monkeypatch.setattr(served.window.entrance, "is_one_sign_on", True)
    monkeypatch.setattr(served.window.entrance, "past", past)
    answers = [served.get("/window/tokens", auth=("admin", "admin's")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 200]
    assert "the ledger cannot note it" in answers[0].json()["error"]
    assert told == ["testclient"] * 2


def test_the_personal_token_of_an_administrator_makes_and_revokes_no_machines(served, accounts_uri, monkeypatch):
    with closing(PersonalTokens(accounts_uri, Lives(timedelta(days=9)))) as own:
        monkeypatch.setattr(served.window.entrance, "tokens", own)
        auth = ("admin", own.make("admin", "laptop", 1, datetime.now(UTC)))
        before = len(served.noted)
        made = served.post("/window/tokens", json={"name": "stolen", "role": SYSTEM}, auth=auth)
        revoked = served.delete(f"/window/tokens/a-{SYSTEM}", auth=auth)
        assert [made.status_code, revoked.status_code] == [403, 403]
        assert "bring an administrator's password" in made.json()["error"]
        listed = served.get("/window/tokens", auth=auth).json()["machines"]
        machines = {each["name"]: each["revoked_at"] for each in listed}
        assert ("stolen" in machines, machines[f"a-{SYSTEM}"], len(served.noted)) == (False, None, before)


def test_tokens_are_made_and_revoked_by_an_administrator_and_the_ledger_knows(served):
    before = len(served.noted)
    wanted = {"name": "broker-9", "role": TRADE}
    assert served.post("/window/tokens", json=wanted, auth=("ann", "ann's")).status_code == 403
    assert served.post("/window/tokens", json=wanted, auth=("admin", "wrong")).status_code == 401
    made = served.post("/window/tokens", json=wanted, auth=("admin", "admin's"))
    assert made.status_code == 201
    headers = {"Authorization": f"Bearer {made.json()['token']}", "Content-Type": "application/json"}
    content = json.dumps(declared(8))
    assert served.post("/window/declarations", content=content, headers=headers).status_code == 200
    assert served.delete("/window/tokens/broker-9", auth=("admin", "admin's")).status_code == 200
    assert served.post("/window/declarations", content=content, headers=headers).status_code == 401
    listed = served.get("/window/tokens", auth=("admin", "admin's")).json()["machines"]
    assert {each["name"] for each in listed} >= {"broker-9", f"a-{SYSTEM}"}
    assert "token" not in json.dumps(listed)
    reasons = [json.loads(entry.reason) for entry in served.noted[before:]]
    assert reasons == [{"role": TRADE, "token": "broker-9"}, {"revoked": True, "token": "broker-9"}]
    assert {entry.actor for entry in served.noted[before:]} == {"admin"}


def test_what_the_ledger_cannot_note_is_not_done(served):
    def away(_):
        raise storage.NotSigned("the signer is away")

    object.__setattr__(served.window, "note", away)
    answer = served.post("/window/tokens", json={"name": "late", "role": TRADE}, auth=("admin", "admin's"))
    object.__setattr__(served.window, "note", served.noted.append)
    assert answer.status_code == 503
    assert "late" not in {each.name for each in served.window.tokens.machines()}


def test_the_document_describes_what_is_answered(served):
    token = {"Authorization": f"Bearer {served.given[SYSTEM]}"}
    document = served.get("/window/openapi.json", headers=token).json()
    answer = ask(served, SYSTEM, openapi.EXAMPLE)
    assert answer.status_code == 200
    told = document["paths"]["/window/declarations"]["post"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]
    in_full = told["properties"]["decisions"]["items"]["oneOf"][0]
    assert answer.json()["decisions"][0].keys() == in_full["properties"].keys()
    assert (
        answer.json()["decisions"][0]["items"][0].keys() == in_full["properties"]["items"]["items"]["properties"].keys()
    )
    in_brief = told["properties"]["decisions"]["items"]["oneOf"][1]
    assert ask(served, TRADE, declared(11)).json()["decisions"][0].keys() == in_brief["properties"].keys()


def test_the_example_in_xml_is_what_a_trader_is_told_of_the_example(served):
    document = openapi.DOCUMENT["paths"]["/window/declarations"]["post"]["responses"]["200"]["content"]
    answer = ask(served, TRADE, declared(12), accept="application/xml")
    assert answer.status_code == 200
    (decision,) = served.window.log.versions("E12")
    shown = msgspec.structs.replace(
        decision,
        declaration_id=openapi.EXAMPLE["declaration_id"],
        decision_id=openapi.EXAMPLE_DECISION,
        received_at=openapi.EXAMPLE_AT,
        items=tuple(msgspec.structs.replace(item, lane="yellow") for item in decision.items),
    )
    found = telling.Answer([shown], [], "", openapi.EXAMPLE_AT).written("application/xml", TRADE).decode()
    assert [document[each]["example"] for each in ("application/xml", "text/xml")] == [found, found]


def test_whether_it_lives_is_told_to_anybody_on_this_machine(served):
    answer = served.get("/window/health")
    assert (answer.status_code, answer.json()) == (200, {"is_ready": True})


def test_a_monitoring_system_is_told_figures_and_nothing_of_a_declaration(served):
    def figures():
        answer = served.get("/window/metrics", headers={"Authorization": f"Bearer {served.given[METRICS]}"})
        assert answer.status_code == 200
        lines = (line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    before = figures()
    (decision,) = ask(served, SYSTEM, declared(90)).json()["decisions"]
    refused = ask(served, SYSTEM, declared(91, items=[]))
    after = figures()
    lane = f'tidewaiter_window_decided_declarations_total{{lane="{decision["lane"]}"}}'
    assert after[lane] - before[lane] == 1
    for status in (200, refused.status_code):
        count = f'tidewaiter_window_answer_seconds_count{{role="{SYSTEM}",status="{status}"}}'
        assert after[count] - before.get(count, 0) == 1
    assert (
        after["tidewaiter_window_unscored_declarations_total"]
        == before["tidewaiter_window_unscored_declarations_total"]
    )
    assert "E90" not in str(after)


def test_roles_of_machines_do_not_mix(served):
    assert ask(served, METRICS, declared(92)).status_code == 403
    for path in ("/window/days", "/window/openapi.json"):
        assert served.get(path, headers={"Authorization": f"Bearer {served.given[METRICS]}"}).status_code == 403
    for role in (SYSTEM, TRADE):
        assert (
            served.get("/window/metrics", headers={"Authorization": f"Bearer {served.given[role]}"}).status_code == 403
        )
    assert served.get("/window/metrics").status_code == 401

"""The rules over a real ledger; what MLflow has stored is made up."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from mlflow.entities.model_registry import ModelVersion

from models.names import MODEL
from models.policy import load
from models.signoff import restrictions, stored
from models.signoff.admission import Unjudged
from models.signoff.book import ADMINISTRATOR, SERVICE
from models.signoff.call import LONGEST_TEXT, Call, Refused
from models.signoff.chain import Entry, LedgerError
from models.signoff.keys import Keys
from models.signoff.ledger import Ledger, Table, now
from models.signoff.lifecycle import State
from models.signoff.rules import Rules

ROLES = {
    "ana": ("risk-analyst",),
    "rea": ("reviewer",),
    "rob": ("reviewer",),
    "dan": ("data-scientist",),
    "max": ("data-scientist", "risk-analyst"),
    "root": (ADMINISTRATOR, "reviewer", "risk-analyst"),
    SERVICE: ("service",),
}
NUMBERS = {"risk-analyst": 1, "reviewer": 2, "data-scientist": 3, "auditor": 4, "service": 5}
RUN, LOGGED = "1" * 32, f"m-{'2' * 32}"


class Store:
    """Versions 1 to 3 by max, with evidence that tests can alter."""

    def __init__(self):
        self.digests = {number: f"{number}" * 64 for number in (1, 2, 3)}
        self.differences, self.faults, self.unjudged = (), (), ""
        self.looks, self.judged = [], []
        self.tags = {"author": "max", "evidence_digest": "x"}

    def version(self, number):
        if number not in self.digests:
            return None
        return ModelVersion(MODEL, str(number), 0, tags=[SimpleNamespace(key=k, value=v) for k, v in self.tags.items()])

    def find_evidence(self, found, sealed, is_thorough):
        self.looks.append((int(found.version), sealed, is_thorough))
        return stored.Finding(self.digests[int(found.version)], self.differences)

    def admit(self, found):
        self.judged.append(int(found.version))
        if self.unjudged:
            raise Unjudged(self.unjudged)
        digest = self.digests[int(found.version)]
        return stored.Admission(self.faults, digest, f"seal of {digest}")


# Aliases of others, what a list of names would split, what a terminal or an HTTP sign-in would read otherwise.
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
    """What MLflow lets an account do, where it is not the usual."""
    return {}


@pytest.fixture
def numbers():
    """The roles that MLflow has."""
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


class TestSigning:
    def test_what_is_stored_is_the_tally_and_the_ledger_has_it_all(self, rules, table):
        assert rules.judge(signing("ana", "technical")).body["value"] == "approved by ana. ana: sound"
        opened, signed = entries(table)
        assert (opened.action, opened.authors, opened.digest) == ("open", ("max",), "1" * 64)
        assert (signed.actor, signed.action, signed.step, signed.digest) == ("ana", "approve", "technical", "1" * 64)
        assert (signed.address, signed.request, signed.reason) == ("10.1.1.1", "POST /x", "sound")

    def test_the_last_signature_tells_the_promotion_flow(self, rules, told):
        rules.judge(signing("ana", "technical"))
        assert told == []
        rules.judge(signing("rea", "governance"))
        rules.judge(signing("rob", "governance"))
        assert told == [1]

    @pytest.mark.parametrize("value", ["Approved : sound", " APPROVED: sound\n", "approved:sound"])
    def test_a_decision_may_be_written_as_people_write(self, rules, value):
        assert rules.judge(signing("ana", "technical", value)).body["value"].startswith("approved by ana")

    @pytest.mark.parametrize("who", ["dan", "max", "root", "rea", SERVICE])
    def test_who_may_not_sign_is_refused_once_in_the_ledger(self, rules, table, who):
        with pytest.raises(Refused):
            rules.judge(signing(who, "technical"))
        assert [(each.actor, bool(each.refusal)) for each in entries(table) if each.action != "open"] == [(who, True)]

    @pytest.mark.parametrize(
        "value", ["yes", "", "approve: x", "pending", "x" * (LONGEST_TEXT + 1), "approved: \ud800", 3]
    )
    def test_what_is_no_decision_is_refused_and_noted(self, rules, table, value):
        with pytest.raises(Refused):
            rules.judge(signing("ana", "technical", value))
        assert last(table).action == "write"
        assert len(last(table).refusal) <= LONGEST_TEXT

    @pytest.mark.parametrize("version", [1, "01", "\uff11", " 1", "1.0", "", None, "9" * 40])
    def test_a_version_is_a_number_as_text(self, rules, version):
        with pytest.raises(Refused, match="a number as text"):
            rules.judge(signing("ana", "technical", version=version))

    def test_what_was_judged_as_wrong_opens_nothing_and_is_judged_once(self, rules, store):
        store.faults = ("gate roc_auc failed", "card.md is not what is rendered")
        for _ in range(2):
            with pytest.raises(Refused, match=r"not opened: gate roc_auc failed; card\.md is not what is rendered"):
                rules.judge(signing("ana", "technical"))
        assert (rules.ledger.book.cases, store.judged) == ({}, [1])

    def test_a_judgement_that_did_not_end_is_tried_again_after_a_while(self, rules, store, monkeypatch):
        now_s = [0.0]
        monkeypatch.setattr(rules._looks, "clock", lambda: now_s[0])
        store.unjudged = "it took too long"
        for _ in range(2):
            with pytest.raises(
                Refused, match="not opened yet, and is judged again after a while: it took too long"
            ) as e:
                rules.judge(signing("ana", "technical"))
            assert e.value.status == 503
        assert store.judged == [1]
        now_s[0], store.unjudged = 600.0, ""
        rules.judge(signing("ana", "technical"))
        assert store.judged == [1, 1]

    def test_the_ledger_has_the_seal_and_what_was_opened_is_not_judged_again(self, rules, store, table):
        rules.judge(signing("ana", "technical"))
        store.faults = ("a later product renders otherwise",)
        rules.judge(signing("rea", "governance"))
        assert entries(table)[0].seal == f"seal of {store.digests[1]}"
        assert rules.ledger.book.cases[1].seal == f"seal of {store.digests[1]}"
        assert store.judged == [1]

    @pytest.mark.parametrize("what", ["differences", "digest"])
    def test_what_changes_while_it_is_judged_is_not_opened(self, rules, store, monkeypatch, what):
        def altering(found):
            admitted = Store.admit(store, found)
            if what == "digest":
                store.digests[1] = "f" * 64
            else:
                store.differences = ("file drift.html is not what was sealed",)
            return admitted

        object.__setattr__(rules, "admit", altering)
        with pytest.raises(Refused, match="version 1 was altered while it was judged"):
            rules.judge(signing("ana", "technical"))
        assert rules.ledger.book.cases == {}

    def test_altered_evidence_voids_what_was_signed(self, rules, store, table):
        rules.judge(signing("ana", "technical"))
        store.digests[1] = "f" * 64
        with pytest.raises(Refused, match="was altered"):
            rules.judge(signing("rea", "governance"))
        store.digests[1] = "1" * 64
        assert rules.ledger.book.state(1, now()) is State.VOID

    def test_the_service_may_only_repeat_the_tally(self, rules):
        assert rules.judge(tagging(SERVICE, "signoff.technical", "pending"))
        rules.judge(signing("ana", "technical"))
        assert rules.judge(tagging(SERVICE, "signoff.technical", "approved by ana. ana: sound"))
        with pytest.raises(Refused, match="signs nothing"):
            rules.judge(tagging(SERVICE, "signoff.technical", "pending"))


class TestAliases:
    def test_champion_follows_the_signatures(self, rules, table):
        with pytest.raises(Refused, match="is awaiting technical, not approved"):
            rules.judge(aliasing(SERVICE))
        promote(rules)
        assert last(table).action == "promote"
        rules.judge(aliasing(SERVICE))  # again: it is champion, so nothing is added
        assert sum(each.action == "promote" and not each.refusal for each in entries(table)) == 1

    @pytest.mark.parametrize("who", ["root", "dan", "rea"])
    @pytest.mark.parametrize("alias", ["champion", "previous"])
    def test_people_do_not_move_it(self, rules, who, alias):
        approve(rules)
        with pytest.raises(Refused, match="only the promotion service"):
            rules.judge(aliasing(who, alias))
        with pytest.raises(Refused, match="not taken away"):
            rules.judge(aliasing(who, alias, method="DELETE"))

    @pytest.mark.parametrize("alias", ["Champion", " champion", "PREVIOUS", "champio\u0301n", "\u0441hampion"])
    def test_nor_one_that_looks_like_it(self, rules, alias):
        with pytest.raises(Refused):
            rules.judge(aliasing("dan", alias))

    def test_others_are_anybodys(self, rules):
        assert rules.judge(aliasing("dan", "to-look-at")).body["alias"] == "to-look-at"

    def test_the_challenger_is_the_services_to_move(self, rules):
        for method in ("POST", "DELETE"):
            assert rules.judge(aliasing(SERVICE, "challenger", method=method))
            for who in ("dan", "root", "rea"):
                with pytest.raises(Refused, match="challenger"):
                    rules.judge(aliasing(who, "challenger", method=method))

    def test_previous_is_by_the_ledger(self, rules):
        promote(rules)
        with pytest.raises(Refused, match="previous is None, not 1"):
            rules.judge(aliasing(SERVICE, "previous"))
        assert rules.judge(aliasing(SERVICE, "previous", method="DELETE"))
        promote(rules, "2")
        assert rules.judge(aliasing(SERVICE, "previous", "1"))
        with pytest.raises(Refused, match="by the ledger, it is 1"):
            rules.judge(aliasing(SERVICE, "previous", method="DELETE"))

    def test_altered_evidence_is_not_promoted(self, rules, store):
        approve(rules)
        store.digests[1] = "f" * 64
        with pytest.raises(Refused, match="was altered"):
            rules.judge(aliasing(SERVICE))


class TestRollback:
    def back(self, rules, who="rea", **body):
        return rules.roll_back(
            Call("POST", "tidewaiter/rollback", who, ROLES[who], "", "POST /x", body or {"reason": "x"})
        )

    def test_goes_to_the_champion_before(self, rules, told):
        promote(rules)
        promote(rules, "2")
        told.clear()
        assert self.back(rules) == {"version": "1"}
        assert (rules.ledger.book.champion, told) == (1, [1])

    def test_passes_by_what_was_altered_and_remembers_it(self, rules, store):
        for version in ("1", "2", "3"):
            promote(rules, version)
        store.digests[2] = "f" * 64
        assert self.back(rules) == {"version": "1"}
        assert rules.ledger.book.cases[2].is_void

    def test_where_none_stands_is_refused_and_the_void_stays(self, rules, store, table):
        promote(rules)
        promote(rules, "2")
        store.digests[1] = "f" * 64
        with pytest.raises(Refused, match="no earlier champion"):
            self.back(rules)
        assert rules.ledger.book.cases[1].is_void
        assert last(table).refusal == "there is no earlier champion whose evidence still stands"

    @pytest.mark.parametrize("who", ["root", "ana", "dan", SERVICE])
    def test_is_for_the_last_steps_role(self, rules, table, who):
        promote(rules)
        promote(rules, "2")
        with pytest.raises(Refused, match="takes the role reviewer"):
            self.back(rules, who)
        assert (last(table).actor, rules.ledger.book.champion) == (who, 2)

    @pytest.mark.parametrize("body", [{"x": 1}, {"reason": " "}, {"reason": 1}])
    def test_needs_a_reason(self, rules, table, body):
        promote(rules)
        promote(rules, "2")
        with pytest.raises(Refused):
            self.back(rules, **body)
        assert last(table).refusal


class TestInspection:
    def test_opens_and_tells(self, rules):
        told = rules.inspect(Call("POST", "tidewaiter/inspect", SERVICE, (), "", "x", {"version": "1"}))
        assert told["words"] == "awaiting technical"
        assert told["tags"] == {"signoff.technical": "pending", "signoff.governance": "pending"}

    def test_all_files_are_looked_at_once_an_hour_and_for_whoever_signs(self, rules, store, monkeypatch):
        now_s = [0.0]
        monkeypatch.setattr(rules._looks, "clock", lambda: now_s[0])
        ask = Call("POST", "tidewaiter/inspect", SERVICE, (), "", "x", {"version": "1"})
        for now_s[0] in (0.0, 60.0, 3599.0, 3600.0):
            rules.inspect(ask)
        rules.judge(signing("ana", "technical"))
        sealed = f"seal of {store.digests[1]}"
        assert store.looks == [(1, sealed, thorough) for thorough in (True, False, False, True, True)]

    def test_is_for_the_service(self, rules, table):
        with pytest.raises(Refused, match="only the promotion service"):
            rules.inspect(Call("POST", "tidewaiter/inspect", "root", ROLES["root"], "", "x", {"version": "1"}))
        assert last(table).actor == "root"


class TestSignersRole:
    """The right to sign hangs on what a role is and on MLflow's grant, not on a name."""

    def test_what_mlflow_would_refuse_is_refused_before_it_is_a_signature(self, rules, table, grants):
        rules.note_roles()
        grants["ana"] = ""
        with pytest.raises(Refused, match="MLflow does not let ana write the tags of a version"):
            rules.judge(signing("ana", "technical"))
        assert (last(table).actor, last(table).grant, bool(last(table).refusal)) == ("ana", "", True)
        assert rules.ledger.book.cases[1].approvals == []

    def test_a_row_has_the_numbers_of_the_roles_and_the_grant(self, rules, table):
        rules.note_roles()
        rules.judge(signing("ana", "technical"))
        assert (last(table).role_numbers, last(table).grant) == ({"risk-analyst": 1}, "version: EDIT")

    def test_a_role_with_anothers_name_signs_nothing(self, rules, table):
        rules.note_roles()
        impostor = replace(signing("ana", "technical"), role_numbers={"risk-analyst": NUMBERS["auditor"]})
        with pytest.raises(
            Refused, match="the role risk-analyst is number 1; what ana has under this name is number 4"
        ):
            rules.judge(impostor)
        without = replace(signing("ana", "technical"), role_numbers={})
        with pytest.raises(Refused, match="is number None"):
            rules.judge(without)

    def test_nor_does_it_roll_back(self, rules):
        rules.note_roles()
        promote(rules)
        promote(rules, "2")
        asked = Call(
            "POST", "tidewaiter/rollback", "rea", ROLES["rea"], "", "POST /x", {"reason": "x"}, {"reviewer": 4}
        )
        with pytest.raises(Refused, match="the role reviewer is number 2"):
            rules.roll_back(asked)
        assert rules.roll_back(replace(asked, role_numbers={"reviewer": 2})) == {"version": "1"}

    def test_the_numbers_are_noted_where_they_changed(self, rules, table, numbers):
        rules.note_roles()
        rules.note_roles()
        assert [entry.role_numbers for entry in entries(table)] == [NUMBERS]
        numbers["reviewer"] = 9
        rules.note_roles()
        assert [entry.role_numbers["reviewer"] for entry in entries(table)] == [2, 9]
        assert rules.ledger.book.role_numbers["reviewer"] == 9

    def test_nobody_but_the_server_says_what_a_role_is(self, rules):
        rules.note_roles()
        with rules.ledger.writing() as writer:
            told = Entry(at=now(), actor="root", action="account", role_numbers={"reviewer": 4})
            writer.append(told)
        assert rules.ledger.book.role_numbers == NUMBERS

    def test_a_ledger_from_before_is_as_it_was(self, rules):
        rules.judge(replace(signing("ana", "technical"), role_numbers={}))
        assert [each.user for each in rules.ledger.book.cases[1].approvals] == ["ana"]


class TestClearing:
    def clear(self, rules, who="root", version="1"):
        return rules.judge(call(who, "DELETE", "model-versions/delete", name=MODEL, version=version))

    def test_what_was_never_opened_is_cleared_by_an_administrator_and_noted(self, rules, table):
        assert self.clear(rules)
        assert (last(table).action, last(table).actor, last(table).version) == ("clear", "root", 1)
        with pytest.raises(LedgerError, match="version 1 was cleared away by an administrator"):
            rules.judge(signing("ana", "technical"))

    @pytest.mark.parametrize("who", ["dan", "rea", SERVICE])
    def test_by_nobody_else(self, rules, table, who):
        with pytest.raises(Refused, match=f"cleared by an administrator, not by {who}"):
            self.clear(rules, who)
        assert (last(table).actor, last(table).action, bool(last(table).refusal)) == (who, "clear", True)

    def test_what_was_opened_stays(self, rules, table):
        rules.judge(signing("ana", "technical"))
        with pytest.raises(Refused, match="version 1 was opened, and stays"):
            self.clear(rules)
        with pytest.raises(Refused, match="no version 9"):
            self.clear(rules, version="9")


class TestRegistering:
    def ask(self, rules, who, author):
        return rules.judge_registration(Call("POST", "tidewaiter/registering", who, (), "", "x", {"author": author}))

    @pytest.mark.parametrize("author", ["dan", SERVICE])
    def test_is_the_services_by_whom_there_is(self, rules, author):
        assert self.ask(rules, SERVICE, author) == {}

    @pytest.mark.parametrize("author", ["nobody", "nightly", "Dan", "dan ", "dan, rea", "", 3])
    def test_by_nobody_that_there_is_not(self, rules, author):
        with pytest.raises(Refused, match="author"):
            self.ask(rules, SERVICE, author)
        tags = [{"key": "author", "value": author}]
        with pytest.raises(Refused, match="is not an account"):
            rules.judge(call(SERVICE, "POST", "runs/create", tags=tags)) if author else self.ask(rules, SERVICE, "x")

    @pytest.mark.parametrize("who", ["dan", "root", "max"])
    def test_not_a_persons(self, rules, who):
        version = {"name": MODEL, "source": "models:/x"}
        for asked in (
            lambda: self.ask(rules, who, who),
            lambda: rules.judge(call(who, "POST", "model-versions/create", **version)),
            lambda: rules.judge(call(who, "POST", "registered-models/create", name=MODEL)),
            lambda: rules.judge(tagging(who, "evidence_digest", "x")),
        ):
            with pytest.raises(Refused):
                asked()


class TestAccounts:
    def test_are_the_administrators_and_each_change_is_noted_without_its_password(self, rules, table):
        asked = call("root", "POST", "users/create", username="eve", password="secret-secret")
        rules.judge(asked)
        assert (last(table).action, last(table).reason) == ("account", '{"username":"eve"}')
        rules.answered(asked, 409)
        assert last(table).reason == '{"answer":409,"username":"eve"}'
        made = call("root", "POST", "users/create", username="rea", password="secret-secret")
        rules.answered(made, 200)  # when it is among the accounts, where its name would be refused a second time
        assert last(table).reason == '{"answer":200,"username":"rea"}'
        with pytest.raises(Refused, match="administrator's to change"):
            rules.judge(call("rea", "POST", "roles/assign", username="rea", role_id=1))

    def test_name_the_role_that_was_given(self, rules, table):
        rules.judge(call("root", "POST", "roles/assign", username="eve", role_id=2))
        assert last(table).reason == '{"role":"reviewer","role_id":2,"username":"eve"}'
        rules.judge(call("root", "PATCH", "users/update-admin", username="eve", is_admin=True))
        assert last(table).reason == '{"is_admin":true,"username":"eve"}'

    @pytest.mark.parametrize(
        ("method", "route", "body"),
        [
            ("POST", "users/create", {"username": "eve", "password": "p", "aaa": "x" * 6000}),
            ("POST", "users/create", {"username": "e" * 64, "password": "p"}),
            ("POST", "users/create", {"username": "eve", "password": "p" * 201}),
            ("POST", "users/create", {"username": "eve"}),
            ("POST", "users/create", {"username": ["eve"], "password": "p"}),
            *(("POST", "users/create", {"username": name, "password": "p"}) for name in NAMES_OF_NOBODY),
            ("PATCH", "users/update-password", {"username": "rob", "password": "p", "A" * 6000: "x"}),
            ("PATCH", "users/update-admin", {"username": "eve", "is_admin": "true"}),
            ("PATCH", "users/update-admin", {"username": "eve", "is_admin": 1}),
            ("DELETE", "users/delete", {"username": "eve", "role_id": 1}),
            ("POST", "roles/assign", {"username": "eve", "role_id": "2"}),
            ("POST", "roles/assign", {"username": "eve", "role_id": True}),
            ("POST", "roles/assign", {"username": "eve", "role_id": 77}),
            ("POST", "roles/assign", {"username": "eve", "role_id": NUMBERS["service"]}),
        ],
    )
    def test_say_known_fields_and_nothing_else(self, rules, table, method, route, body):
        with pytest.raises(Refused):
            rules.judge(call("root", method, route, **body))
        assert (last(table).action, bool(last(table).refusal)) == ("write", True)

    @pytest.mark.parametrize(
        ("method", "route", "body"),
        [
            ("PATCH", "roles/update", {"role_id": 4, "name": "reviewer"}),
            ("POST", "roles/create", {"name": "reviewer2", "workspace": "default"}),
            ("DELETE", "roles/delete", {"role_id": 2}),
            ("POST", "roles/permissions/add", {"role_id": 4, "resource_type": "x", "permission": "EDIT"}),
            ("PATCH", "roles/permissions/update", {"role_permission_id": 1, "permission": "EDIT"}),
            ("DELETE", "roles/permissions/remove", {"role_permission_id": 1}),
            ("POST", "users/permissions/grant", {"username": "dan", "permission": "EDIT"}),
            ("POST", "users/permissions/revoke", {"username": "rea"}),
        ],
    )
    def test_do_not_reach_roles_and_what_they_may_do(self, rules, method, route, body):
        with pytest.raises(Refused, match="made from the policy"):
            rules.judge(call("root", method, route, **body))

    def test_guesses_are_noted(self, rules, table):
        rules.note_guesses("rea", "10.1.1.1", 5)
        noted = last(table)
        assert (noted.actor, noted.address) == ("mlflow-server", "10.1.1.1")
        assert noted.refusal == "5 wrong passwords in a row for rea"

    def test_a_password_is_ones_own(self, rules):
        own = {"username": "rea", "password": "x", "current_password": "y"}
        assert rules.judge(call("rea", "PATCH", "users/update-password", **own))
        for body in ({"username": "rob"}, {"name": "rea"}, {"username": "rob", "name": "rea"}, {}):
            with pytest.raises(Refused):
                rules.judge(call("rea", "PATCH", "users/update-password", **body, password="x"))

    def test_the_services_is_nobodys(self, rules):
        with pytest.raises(Refused, match="the server's own"):
            rules.judge(call("root", "PATCH", "users/update-password", username=SERVICE, password="x"))


class TestRestrictions:
    @pytest.mark.parametrize(
        ("method", "name", "body"),
        [
            ("POST", "runs/log-metric", {"run_id": RUN}),
            ("POST", "runs/update", {"run_uuid": RUN}),
            ("POST", "runs/log-batch", {"run_id": "x", "metrics": [{"model_id": LOGGED}]}),
            ("POST", "runs/outputs", {"run_id": "x", "models": [{"model_id": LOGGED}]}),
            ("DELETE", f"logged-models/{LOGGED}/tags/a", {}),
            ("POST", "logged-models", {"source_run_id": RUN}),
            ("POST", "runs/set-tag", {"run_id": "x", "key": "author", "value": "rea"}),
            ("POST", "runs/set-tag", {"run_id": "x", "key": "run_key", "value": "a"}),
            ("POST", "runs/create", {"tags": [{"key": "run_key", "value": "a"}]}),
            ("POST", "runs/log-batch", {"run_id": "x", "tags": [{"key": "run_key", "value": "a"}]}),
            ("POST", "runs/log-batch", {"run_id": "x", "tags": [{"key": "author", "value": "rea"}]}),
            ("POST", "experiments/delete", {"experiment_id": "7"}),
            ("POST", "experiments/update", {"experiment_id": 7}),
            ("POST", "experiments/create", {"name": "x", "artifact_location": "file:///etc"}),
            ("POST", "model-versions/create", {"name": "other", "source": "/etc"}),
            ("POST", "model-versions/create", {"name": MODEL, "source": "models:/x", "tags": {"key": "a"}}),
            ("POST", "model-versions/create", {"name": MODEL, "source": "models:/x", "tags": "ab"}),
            ("DELETE", "model-versions/delete", {"name": [MODEL], "version": "1"}),
            ("POST", "registered-models/rename", {"name": "other", "new_name": MODEL}),
            ("POST", "registered-models/create", {"name": "Customs-Risk"}),
            ("POST", "registered-models/create", {"name": "x", "tags": [{"key": "mlflow.prompt.is_prompt"}]}),
        ],
    )
    @pytest.mark.parametrize("who", ["root", "dan"])
    def test_refused_and_noted(self, rules, table, who, method, name, body):
        with pytest.raises(Refused):
            rules.judge(call(who, method, name, **body))
        assert (last(table).actor, last(table).action) == (who, "write")

    @pytest.mark.parametrize(
        ("method", "name", "body"),
        [
            ("POST", "runs/log-metric", {"run_id": "x", "key": "a"}),
            ("POST", "runs/set-tag", {"run_id": "x", "key": "metaphor", "value": "author"}),
            ("POST", "runs/set-tag", {"run_id": "x", "key": "\uba54\ubaa8", "value": "b"}),
            ("PATCH", f"logged-models/m-{'3' * 32}", {}),
            ("POST", "experiments/create", {"name": "x"}),
            ("POST", "experiments/delete", {"experiment_id": "8"}),
            ("DELETE", "model-versions/delete", {"name": "other", "version": "1"}),
            ("POST", "model-versions/set-tag", {"name": MODEL, "version": "1", "key": "note", "value": "b"}),
            ("DELETE", "model-versions/delete-tag", {"name": MODEL, "version": "1", "key": "note"}),
        ],
    )
    def test_everything_else_is_mlflows_to_decide(self, rules, table, method, name, body):
        asked = call("dan", method, name, **body)
        assert rules.judge(asked) == asked
        assert entries(table) == []

    def test_the_author_is_who_asks_but_for_the_service(self, rules):
        tags = [{"key": "author", "value": "rea"}, {"key": "a", "value": "b"}]
        version = {"name": MODEL, "source": "models:/x", "tags": tags}
        made = rules.judge(call("dan", "POST", "runs/create", tags=tags)).body["tags"]
        assert {each["key"]: each["value"] for each in made} == {"author": "dan", "a": "b"}
        for name, body in (("runs/create", {"tags": tags}), ("model-versions/create", version)):
            assert rules.judge(call(SERVICE, "POST", name, **body)).body["tags"] == tags
        assert rules.judge(call(SERVICE, "POST", "runs/create")).body["tags"] == [{"key": "author", "value": SERVICE}]

    def test_evidence_tags_are_written_once_and_by_the_service(self, rules, store):
        assert rules.judge(tagging(SERVICE, "registration", "complete"))
        assert rules.judge(tagging(SERVICE, "data_version", "abc"))
        for who, key in (("max", "registration"), ("root", "registration"), (SERVICE, "evidence_digest")):
            with pytest.raises(Refused):
                rules.judge(tagging(who, key, "x"))
        del store.tags["author"]
        with pytest.raises(Refused, match="part of its evidence"):
            rules.judge(tagging(SERVICE, "author", "rea"))

    @pytest.mark.parametrize(
        ("path", "is_allowed"),
        [
            (f"1/{'a' * 32}/artifacts/x", True),
            (f"1/models/m-{'a' * 32}/artifacts/x/y", True),
            (f"1/{RUN}/artifacts/x", False),
            (f"1/models/{LOGGED}/artifacts/x", False),
            (f"1/{'a' * 32}/artifacts", False),
            (f"1/2/{'a' * 32}/artifacts/x", False),
            (f"1/{'A' * 32}/artifacts/x", False),
            ("1", False),
            ("signoff/secret/ledger.key", False),
        ],
    )
    def test_files_of_runs_and_logged_models_that_belong_to_no_version(self, store, path, is_allowed):
        if is_allowed:
            restrictions.judge_artifact(path)
        else:
            with pytest.raises(Refused):
                restrictions.judge_artifact(path)

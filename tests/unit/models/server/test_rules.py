"""The rules over a real ledger; what MLflow has stored is made up."""

from dataclasses import replace

import pytest

from models.access.call import LONGEST_TEXT, Call, Refused
from models.ledger.book import SERVICE
from models.ledger.chain import Entry, LedgerError
from models.ledger.lifecycle import State
from models.ledger.storage import now
from models.names import MODEL
from models.server import stored
from models.signoff import waiting
from tests.support.rules import (
    NUMBERS,
    ROLES,
    Store,
    aliasing,
    approve,
    call,
    entries,
    grants,
    last,
    numbers,
    promote,
    rules,
    signing,
    store,
    table,
    tagging,
    told,
)

__all__ = ["grants", "numbers", "rules", "store", "table", "told"]


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

    def test_beside_one_sign_on_nothing_is_signed_that_bears_the_name_of_somebody_unknown(self, rules, table):
        linked = {"ana", "rob"}
        rules = replace(rules, linked=lambda: linked)
        with pytest.raises(Refused, match=r"version 1 bears the name of max, .* links the account first"):
            rules.judge(signing("ana", "technical"))
        assert last(table).refusal.startswith("version 1 bears the name of max")
        assert rules.unlinked(1) == ["max"]
        linked.add("max")
        assert rules.unlinked(1) == []
        rules.judge(signing("ana", "technical"))
        linked.remove("ana")  # as if her signature were from before there was one sign-on
        with pytest.raises(Refused, match="bears the name of ana"):
            rules.judge(signing("rob", "governance"))
        rules.judge(signing("rob", "governance", "rejected: who was that?"))  # which nobody gains by

    def test_who_is_linked_by_another_name_is_known_and_so_is_the_service(self, rules, store, monkeypatch):
        monkeypatch.setattr(stored, "authors", lambda found: ("Max", SERVICE))
        rules = replace(rules, linked=lambda: {"maxine", "ana"})
        with pytest.raises(Refused, match="bears the name of Max, and"):
            rules.judge(signing("ana", "technical"))
        joined = call("root", "POST", "identities").entry("account", now(), one_person=("max", "maxine"))
        with rules.ledger.writing() as writer:
            writer.append(joined)
        assert rules.judge(signing("ana", "technical"))

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

    def test_evidence_that_cannot_be_read_for_an_hour_voids_nothing(self, rules, store, table):
        approve(rules)
        store.unreadable = "the files of version 1 cannot be read now: No space left on device"
        for act in (lambda: rules.judge(aliasing(SERVICE)), lambda: rules.judge(signing("rea", "governance"))):
            with pytest.raises(Refused, match="No space left on device") as refused:
                act()
            assert refused.value.status == 503
        store.unreadable = ""
        rules.judge(aliasing(SERVICE))
        assert rules.ledger.book.champion == 1
        assert not [each for each in entries(table) if each.action == "void"]

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

    def test_every_file_is_looked_at_before_the_alias_moves(self, rules, store):
        approve(rules)
        store.looks.clear()
        rules.judge(aliasing(SERVICE))
        assert store.looks == [(1, f"seal of {store.digests[1]}", True)]


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

    def test_where_the_champion_before_cannot_be_read_now_it_says_what_to_do(self, rules, store, table):
        for version in ("1", "2", "3"):
            promote(rules, version)
        store.unreadable = (
            "the files of version 2 cannot be read now: /artifacts/2 is not there; put the artifacts back"
        )
        with pytest.raises(
            Refused, match=r"nothing was rolled back, to version 2: .* put the artifacts back\."
        ) as refused:
            self.back(rules)
        assert refused.value.status == 503
        assert "make an empty one in its place: that voids the version" in last(table).refusal
        assert rules.ledger.book.champion == 3
        store.unreadable, store.digests[2] = "", "f" * 64  # lost for good: what is read of the empty folder
        assert self.back(rules) == {"version": "1"}

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


class TestTheModelsDescription:
    @staticmethod
    def describing(who, text, name=MODEL):
        return call(who, "PATCH", "registered-models/update", name=name, description=text)

    @staticmethod
    def by_the_ledger(rules):
        return waiting.describe(rules.ledger.book, [1, 2, 3], now())

    def test_the_service_sets_it_to_what_the_ledger_says(self, rules):
        rules.judge(signing("ana", "technical"))
        text = self.by_the_ledger(rules)
        assert "version 1" in text
        assert rules.judge(self.describing(SERVICE, text)).body["description"] == text

    def test_and_to_nothing_else(self, rules, table):
        before = self.by_the_ledger(rules)
        rules.judge(signing("ana", "technical"))
        for text in (before, "version 1 is approved by all", ""):
            with pytest.raises(Refused, match="describes nothing"):
                rules.judge(self.describing(SERVICE, text))
        assert last(table).action == "write"

    @pytest.mark.parametrize("who", ["root", "dan", "rea"])
    def test_nobody_else_does(self, rules, who):
        with pytest.raises(Refused, match="stay as they were registered"):
            rules.judge(self.describing(who, self.by_the_ledger(rules)))

    def test_other_models_are_described_as_people_like(self, rules):
        assert rules.judge(self.describing("dan", "mine", "other")).body["description"] == "mine"

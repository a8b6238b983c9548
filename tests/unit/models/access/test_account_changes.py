"""What may be asked of accounts and roles, by whom, and how the ledger records it."""

from dataclasses import replace

import pytest

from models.access.call import Refused
from models.ledger.book import SERVICE
from tests.support.rules import NAMES_OF_NOBODY, NUMBERS, call, grants, last, numbers, rules, store, table, told

__all__ = ["grants", "numbers", "rules", "store", "table", "told"]


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

    @pytest.mark.parametrize(
        ("who", "method", "route", "body"),
        [
            ("root", "POST", "users/create", {"username": "eve", "password": "secret-secret"}),
            ("root", "POST", "roles/assign", {"username": "root", "role_id": 2}),
            ("root", "PATCH", "users/update-password", {"username": "admin", "password": "secret-secret"}),
            ("rea", "PATCH", "users/update-password", {"username": "rea", "password": "secret-secret"}),
        ],
    )
    def test_are_not_changed_by_a_token_which_would_outlive_itself(self, rules, who, method, route, body):
        asked = call(who, method, route, **body)
        with pytest.raises(Refused, match="sign in yourself"):
            rules.judge(replace(asked, is_by_token=True))
        rules.judge(asked)

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

    def test_a_password_is_ones_own(self, rules):
        own = {"username": "rea", "password": "x", "current_password": "y"}
        assert rules.judge(call("rea", "PATCH", "users/update-password", **own))
        for body in ({"username": "rob"}, {"name": "rea"}, {"username": "rob", "name": "rea"}, {}):
            with pytest.raises(Refused):
                rules.judge(call("rea", "PATCH", "users/update-password", **body, password="x"))

    def test_the_services_is_nobodys(self, rules):
        with pytest.raises(Refused, match="the server's own"):
            rules.judge(call("root", "PATCH", "users/update-password", username=SERVICE, password="x"))

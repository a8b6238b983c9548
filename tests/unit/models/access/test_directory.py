"""The directory on tables as MLflow makes them."""

import pytest
import sqlalchemy as sa
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

from models.access import directory as module
from models.access.directory import Account, Directory, Role

PASSWORD = "rea-rea-0123456789"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """MLflow's own store, with two accounts."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('accounts')}/accounts.db"
    store = SqlAlchemyStore()
    store.init_db(uri)
    store.create_user("rea", PASSWORD)
    store.create_user("adam", PASSWORD, is_admin=True)
    for name in ("auditor", "reviewer"):
        role = store.create_role(name, "default")
        store.add_role_permission(role.id, "registered_model", "*", "READ")
    store.add_role_permission(role.id, "registered_model_version", "*", "EDIT")
    store.assign_role_to_user(store.get_user("rea").id, role.id)
    store.grant_user_resource_permission("rea", "experiment", "7", "EDIT")  # kept in a role of MLflow's own
    return store, uri


@pytest.fixture
def accounts(kept):
    found = Directory(kept[1], own={"tidewaiter-up": "one start"})
    yield found
    found.close()


def test_who_proves_the_password_is_told_with_roles(accounts):
    assert accounts.account("rea", PASSWORD) == Account("rea", (Role(2, "reviewer"),))
    assert accounts.account("adam", PASSWORD) == Account("adam", (), is_administrator=True)


@pytest.mark.parametrize(
    ("name", "password"),
    [("rea", "wrong"), ("rea", ""), ("", PASSWORD), ("nobody", PASSWORD), ("REA", PASSWORD), ("rea ", PASSWORD)],
)
def test_nobody_else_is_told(accounts, name, password):
    assert accounts.account(name, password) is None


def test_a_name_that_nobody_has_costs_a_hash_like_any_other(accounts, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "check_password_hash", lambda stated, password: asked.append(stated) or False)
    assert accounts.account("nobody", "wrong") is None
    assert accounts.account("rea", "wrong") is None
    assert len(asked) == 2
    assert asked[0].rpartition("$")[0].rpartition("$")[0] == asked[1].rpartition("$")[0].rpartition("$")[0]  # one cost


def test_a_password_is_hashed_once_and_one_that_changed_counts_at_once(accounts, kept, monkeypatch):
    store, _ = kept
    store.create_user("tom", PASSWORD)
    hashed = []
    real = module.check_password_hash
    monkeypatch.setattr(module, "check_password_hash", lambda *given: hashed.append(given) or real(*given))
    assert [accounts.account("tom", PASSWORD) for _ in range(3)] == [Account("tom")] * 3
    assert len(hashed) == 1
    assert accounts.is_remembered("tom", PASSWORD)
    store.update_user("tom", password="another-0123456789")
    assert accounts.account("tom", PASSWORD) is None
    assert accounts.account("tom", "another-0123456789") == Account("tom")
    store.delete_user("tom")
    assert accounts.account("tom", "another-0123456789") is None


def test_what_was_given_or_taken_counts_at_once(accounts, kept):
    store, _ = kept
    auditor = store.get_role_by_name("default", "auditor")
    store.assign_role_to_user(store.get_user("rea").id, auditor.id)
    assert accounts.account("rea", PASSWORD).role_names == ("auditor", "reviewer")
    store.unassign_role_from_user(store.get_user("rea").id, auditor.id)
    assert accounts.account("rea", PASSWORD).role_names == ("reviewer",)


def test_principals_of_the_service_have_no_roles_and_are_no_accounts(accounts):
    assert accounts.account("tidewaiter-up", "one start") == Account("tidewaiter-up")
    assert accounts.account("tidewaiter-up", "another start") is None
    assert accounts.names() == {"rea", "adam"}
    assert accounts.roles() == {"auditor": 1, "reviewer": 2}


def test_a_database_that_is_gone_is_an_error_and_lets_nobody_in(tmp_path):
    with pytest.raises(sa.exc.OperationalError):
        Directory(f"sqlite:///{tmp_path}/none/accounts.db").account("rea", PASSWORD)

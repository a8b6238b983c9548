import pytest
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

from models.access.accounts import (
    ADMINISTRATOR_ACCOUNT,
    ANALYST,
    AUDITOR,
    DATA_SCIENTIST,
    OFFICER,
    SERVICE_ROLE,
    SUPERVISOR,
    WORKSPACE,
    grants,
    has_administrator,
    prepare,
)
from models.ledger.book import SERVICE
from tests.support.signing import POLICY

PASSWORD = "long-enough-0123"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('accounts')}/accounts.db"


@pytest.fixture(scope="module")
def store(database):
    made = SqlAlchemyStore()
    assert not has_administrator(database)  # before there is any table
    made.init_db(database)
    yield made
    made.engine.dispose()


def shown(store):
    return {
        role.name: {(each.resource_type, each.resource_pattern): each.permission for each in role.permissions}
        for role in store.list_roles([WORKSPACE])
    }


def expected():
    return {name: {(kind, "*"): level for kind, level in each.items()} for name, each in grants(POLICY).items()}


def test_every_role_of_the_policy_and_ours_are_made(store):
    prepare(store, POLICY, PASSWORD)
    own = {DATA_SCIENTIST, AUDITOR, ANALYST, OFFICER, SUPERVISOR, SERVICE_ROLE}
    assert set(shown(store)) == {"risk-analyst", "reviewer", *own}
    assert shown(store) == expected()
    assert store.authenticate_user(SERVICE, PASSWORD)
    account = store.get_user(SERVICE)
    assert not account.is_admin
    assert [role.name for role in store.list_user_roles(account.id)] == [SERVICE_ROLE]


def test_who_only_reads_has_no_grant_to_write(store):
    prepare(store, POLICY, PASSWORD)
    assert set(shown(store)[AUDITOR].values()) == {"READ"}
    for role in ("risk-analyst", "reviewer"):
        beyond_reading = {kind for (kind, _), level in shown(store)[role].items() if level != "READ"}
        assert beyond_reading == {"registered_model_version"}


def test_doing_it_again_puts_back_what_was_changed_and_keeps_the_rest(store):
    prepare(store, POLICY, PASSWORD)
    ids = {role.name: role.id for role in store.list_roles([WORKSPACE])}
    ann = store.create_user("ann", PASSWORD)
    store.assign_role_to_user(ann.id, ids["reviewer"])
    for each in store.list_role_permissions(ids["reviewer"]):
        if each.resource_type == "registered_model":
            store.update_role_permission(each.id, "MANAGE")
    store.add_role_permission(ids[AUDITOR], "experiment", "7", "EDIT")
    store.add_role_permission(ids[AUDITOR], "workspace", "*", "MANAGE")
    store.update_user(SERVICE, password="another-password", is_admin=True)
    store.unassign_role_from_user(store.get_user(SERVICE).id, ids[SERVICE_ROLE])

    for _ in range(2):
        prepare(store, POLICY, PASSWORD)
        assert shown(store) == expected()
        assert {role.name: role.id for role in store.list_roles([WORKSPACE])} == ids
        assert [role.name for role in store.list_user_roles(ann.id)] == ["reviewer"]
        account = store.get_user(SERVICE)
        assert not account.is_admin
        assert store.authenticate_user(SERVICE, PASSWORD)
        assert [role.name for role in store.list_user_roles(account.id)] == [SERVICE_ROLE]


def test_the_first_start_is_told_from_later_ones(store, database):
    assert not has_administrator(database)
    store.create_user(ADMINISTRATOR_ACCOUNT, PASSWORD, is_admin=True)
    assert has_administrator(database)


def test_a_database_that_does_not_answer_is_named_without_its_password():
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:9/mlflow does not answer") as raised:
        has_administrator("postgresql://mlflow:secret@127.0.0.1:9/mlflow")
    assert "secret" not in str(raised.value)

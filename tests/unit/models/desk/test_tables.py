"""The migrations make the tables that the code reads, on both databases, also when two processes migrate at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from models.decisions import DecisionLog
from models.desk.tables import META
from tests.support import desks
from tests.support.desks import ANA, BEN
from tests.support.postgres import postgres, postgres_uri  # noqa: F401  fixtures


def described(inspected, dialect):
    """Return columns and indices of the desk's tables as the database has them."""
    return {
        name: (
            {
                each["name"]: (str(each["type"].compile(dialect)), each["nullable"])
                for each in inspected.get_columns(name)
            },
            {each["name"]: each["column_names"] for each in inspected.get_indexes(name)},
            inspected.get_pk_constraint(name)["constrained_columns"],
        )
        for name in META.tables
    }


def check(uri, tmp_path):
    def migrate(_):
        log = DecisionLog(uri)
        log.migrate()
        log.close()
        desks.world(tmp_path, uri=uri).desk.migrate()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, range(8)))
    engine = sa.create_engine(uri)
    made = described(sa.inspect(engine), engine.dialect)
    with engine.connect() as connection, connection.begin() as begun:
        for table in reversed(META.sorted_tables):
            table.drop(connection)
        META.create_all(connection)
        wanted = described(sa.inspect(connection), engine.dialect)
        begun.rollback()
    assert made == wanted
    engine.dispose()


def test_migrations_make_the_tables_that_the_code_reads(tmp_path):
    check(f"sqlite:///{tmp_path / 'decisions.db'}", tmp_path)


def test_on_postgresql_too_where_cases_go_from_decision_to_release_and_the_night_has_some(tmp_path, postgres_uri):  # noqa: F811
    check(postgres_uri, tmp_path)
    world = desks.world(tmp_path, uri=postgres_uri)
    numbers = world.declare(*["red"] * 40)
    with ThreadPoolExecutor(8) as pool:
        takers = [ANA, BEN] * 20
        taken = list(pool.map(world.desk.queue.take_next, takers))
    assert sorted(case.number for case in taken) == sorted(numbers)
    for officer, case in zip(takers, taken, strict=True):
        world.close(officer, case.number, item_number=1, kind="origin")
    assert world.every() == []
    night = desks.night(tmp_path)
    ids = ["D1", *(f"N{number}" for number in range(120))]
    desks.store(night, *((name, 1) for name in ids))
    desks.select(night, *((name, 1, "red") for name in ids))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: world.desk.cases.follow_night(night, world.log), range(4)))
    assert sorted(case.declaration_id for case in world.every()) == sorted(ids[1:])
    world.desk.close()
    world.log.close()


@pytest.mark.parametrize("writes", [True, False])
def test_sqlite_keeps_what_was_committed_on_the_disk(world, writes):
    tables = world.desk.shared.tables
    with (tables.writing if writes else tables.reading)() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2

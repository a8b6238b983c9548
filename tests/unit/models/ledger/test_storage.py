"""The ledger on SQLite."""

import pytest
import sqlalchemy as sa

from models.ledger.chain import LedgerError
from tests.support.ledgers import LedgerTests, write
from tests.support.signing import promotion


class TestOnSqlite(LedgerTests):
    @pytest.fixture
    def database_uri(self, tmp_path):
        return f"sqlite:///{tmp_path / 'mlflow.db'}"

    # SQLite keeps whatever it is given, of any type.
    @pytest.mark.parametrize("value", ["x'00ff'", "'six'", "1.5"])
    @pytest.mark.parametrize("column", ["number", "entry", "hash", "signature"])
    def test_a_value_that_no_server_wrote_is_named(self, ledger, reopen, execute, column, value):
        write(ledger, *promotion())
        execute(f"UPDATE tidewaiter_ledger SET {column} = {value} WHERE number = 5")
        with pytest.raises(LedgerError, match="row "):
            reopen()

    def test_reading_waits_for_no_writer(self, ledger, table, keys, database_uri):
        engine = sa.create_engine(database_uri)
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            ledger.refresh()
            connection.rollback()
        engine.dispose()
        write(ledger, *promotion())
        assert self.agrees(ledger, table, keys) == 5

"""The ledger on PostgreSQL."""

import pytest

from tests.support.ledgers import LedgerTests
from tests.support.postgres import postgres, postgres_uri

__all__ = ["postgres", "postgres_uri"]


class TestOnPostgres(LedgerTests):
    @pytest.fixture
    def database_uri(self, postgres_uri):
        return postgres_uri

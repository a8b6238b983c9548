"""The signer on PostgreSQL."""

import pytest

from tests.support.postgres import postgres, postgres_uri
from tests.support.signers import SignerTests

__all__ = ["postgres", "postgres_uri"]


class TestOnPostgres(SignerTests):
    @pytest.fixture
    def database_uri(self, postgres_uri):
        return postgres_uri

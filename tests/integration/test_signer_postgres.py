"""The signer on PostgreSQL."""

import pytest

from tests.postgres import postgres, postgres_uri
from tests.signers import SignerTests

__all__ = ["postgres", "postgres_uri"]


class TestOnPostgres(SignerTests):
    @pytest.fixture
    def database_uri(self, postgres_uri):
        return postgres_uri

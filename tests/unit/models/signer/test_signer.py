"""The signer on SQLite."""

import pytest

from tests.support.signers import SignerTests


class TestOnSqlite(SignerTests):
    @pytest.fixture
    def database_uri(self, tmp_path):
        return f"sqlite:///{tmp_path / 'mlflow.db'}"

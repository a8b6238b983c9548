"""The whole story of a sign-off, with MLflow, its accounts and the ledger in PostgreSQL."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from models import policy
from models.ledger import reading
from models.ledger.book import SERVICE
from models.names import CHAMPION
from models.registry.registry import Registry
from models.signoff import audit, promotion
from tests.support import signoff_server
from tests.support.postgres import postgres, postgres_uri

__all__ = ["postgres", "postgres_uri"]

POLICY = policy.load().signoff

pytestmark = pytest.mark.timeout(400)


def drop_connections(uri):
    """End every other connection to the database."""
    engine = sa.create_engine(uri)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    with engine.connect() as connection:
        assert connection.execute(sa.text(f"{others} AND pid <> pg_backend_pid()")).scalars().all()
    engine.dispose()


def test_from_registration_to_champion(postgres_uri, tmp_path, monkeypatch):
    def sign_in(name, password):
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    with signoff_server.server(tmp_path, postgres_uri) as server:
        signoff_server.add_people(server)
        # The service registers, for a person who makes models.
        sign_in(SERVICE, server.keys.service_password)
        registry = Registry(server.url)
        assert registry.register(replace(signoff_server.candidate(tmp_path, "abc"), author="max")).version == "1"

        refused = server.sign("max", "technical", "approved: mine")
        assert refused.status_code == 403
        assert refused.json()["message"] == "max made version 1, and so may not sign it"
        assert (
            server.sign("ana", "technical", "approved: sound").json()["tag"]["value"] == "approved by ana. ana: sound"
        )
        for name in ("rea", "rob"):
            drop_connections(postgres_uri)  # as a restart of the database does, or a firewall that has waited too long
            server.sign(name, "governance", "approved: agreed").raise_for_status()

        told: list[str] = []
        with reading.connect(server.url) as client:
            outcome = promotion.promoter(
                server.url,
                server.keys,
                POLICY,
                client,
                memory_file=tmp_path / "promotion.json",
                tell=told.extend,
            ).run()
        assert (outcome.promoted, told) == ((1,), [])
        assert server.aliases()[CHAMPION] == "1"
        found = audit.verify(registry, server.keys, POLICY)
        assert (found.champion, found.faults) == (1, ())
        assert [row.number for row in reading.rows(postgres_uri)] == list(range(1, found.entries + 1))

"""The ledger is edited past the server: `audit verify`, the loader and the server itself find out."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.ledger import reading
from models.ledger.book import SERVICE
from models.ledger.chain import Chain, Entry, LedgerError
from models.ledger.storage import Table
from models.signoff import audit, champion
from tests.attacks.scene import (
    ALIAS,
    APPROVED,
    POLICY,
    REIGNING,
    WAITING,
    edited,
    faults,
    tag,
)
from tests.support.signoff_server import API


@pytest.mark.attempts(0)
def test_nothing_is_found_where_nothing_was_done(scene, registry, tmp_path):
    assert faults(scene, registry) == ()
    assert champion.fetch(registry, scene.server.keys, POLICY, tmp_path).version == REIGNING


LAST = "(SELECT max(number) FROM tidewaiter_ledger)"
LEDGER = {
    "a word changed": "UPDATE tidewaiter_ledger SET entry = replace(entry, 'sound', 'fraud')",
    "a name changed": "UPDATE tidewaiter_ledger SET entry = replace(entry, '\"ana\"', '\"zoe\"')",
    "a refusal made an approval": "UPDATE tidewaiter_ledger SET entry = replace(entry, '\"write\"', '\"approve\"')",
    "an entry taken from another": "UPDATE tidewaiter_ledger SET entry = "
    "(SELECT entry FROM tidewaiter_ledger WHERE number = 9) WHERE number = 10",
    "a hash changed": "UPDATE tidewaiter_ledger SET hash = upper(hash) WHERE number = 10",
    "a signature changed": f"UPDATE tidewaiter_ledger SET signature = upper(signature) WHERE number = {LAST}",
    "a signature taken from another": f"UPDATE tidewaiter_ledger SET signature = "
    f"(SELECT signature FROM tidewaiter_ledger WHERE number = 3) WHERE number = {LAST}",
    "a row deleted": "DELETE FROM tidewaiter_ledger WHERE number = 10",
    "the first row deleted": "DELETE FROM tidewaiter_ledger WHERE number = 1",
    "the last row deleted": f"DELETE FROM tidewaiter_ledger WHERE number = {LAST}",
    "all rows deleted": "DELETE FROM tidewaiter_ledger",
    "a row moved": f"UPDATE tidewaiter_ledger SET number = {LAST} + 5 WHERE number = 10",
    "all rows moved": "UPDATE tidewaiter_ledger SET number = number + 1000",
    "a row put before": "INSERT INTO tidewaiter_ledger VALUES (0, '{}', '', '')",
    "a row put behind": f"INSERT INTO tidewaiter_ledger SELECT {LAST} + 1, entry, hash, signature "
    "FROM tidewaiter_ledger WHERE number = 10",
}
# Where the end of the ledger is not what the running server knows; what lies before it, it has in memory.
SEEN_AT_ONCE = {"a row put behind", "the last row deleted", "all rows deleted", "all rows moved"}


@pytest.mark.parametrize("attack", LEDGER)
def test_an_edited_ledger_is_found_out(scene, registry, tmp_path, attack):
    with edited(scene, LEDGER[attack]):
        assert len(faults(scene, registry)) == 1
        assert faults(scene, registry)[0].startswith("row ")
        with pytest.raises(LedgerError):
            champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
        if attack in SEEN_AT_ONCE:
            with scene.unchanged():
                signing = scene.send(
                    "rea", "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x")
                )
                promoting = scene.send(
                    SERVICE, "POST", f"{API}/registered-models/alias", {**ALIAS, "version": APPROVED}
                )
            assert {signing.status_code, promoting.status_code} == {503}
            assert "the ledger does not verify" in signing.json()["message"]
    assert faults(scene, registry) == ()


def test_two_rows_exchanged_are_found_out(scene, registry):
    with edited(
        scene,
        "UPDATE tidewaiter_ledger SET number = -1 WHERE number = 10",
        "UPDATE tidewaiter_ledger SET number = 10 WHERE number = 11",
        "UPDATE tidewaiter_ledger SET number = 11 WHERE number = -1",
    ):
        assert faults(scene, registry)[0].startswith("row 10 does not follow")


def replaced(entries: Sequence[Entry], key: Ed25519PrivateKey) -> list[str]:
    """Statements that make the whole ledger these entries, chained and signed by a key."""
    chain = Chain(key.public_key())
    statements = ["DELETE FROM tidewaiter_ledger"]
    for entry in entries:
        row = chain.follow(entry, key)
        chain.extend([row])
        text = row.entry.replace("'", "''")
        statements.append(
            f"INSERT INTO tidewaiter_ledger VALUES ({row.number}, '{text}', '{row.hash}', '{row.signature}')"
        )
    return statements


def test_a_whole_ledger_under_another_key_is_found_out(scene, registry, tmp_path):
    with edited(scene, *replaced(scene.ledger(), Ed25519PrivateKey.generate())):
        assert "row " in faults(scene, registry)[0]
        with pytest.raises(LedgerError):
            champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
        assert (
            scene.send(SERVICE, "POST", f"{API}/registered-models/alias", {**ALIAS, "version": APPROVED}).status_code
            == 503
        )
    assert faults(scene, registry) == ()


def test_a_forger_with_the_servers_key_is_found_out_by_the_rules(scene):
    """Whoever has stolen the key can sign rows, but none that the rules forbid."""
    book = reading.signed_book(scene.server.database_uri, scene.server.keys, POLICY)
    case = book.cases[int(WAITING)]
    forged = Entry(at=datetime.now(UTC), actor=SERVICE, action="promote", version=case.version, digest=case.digest)
    with (
        edited(scene, *replaced([*scene.ledger(), forged], scene.server.keys.private_key)),
        pytest.raises(LedgerError, match=r"promote of version 3 .* awaiting governance, not approved"),
    ):
        reading.signed_book(scene.server.database_uri, scene.server.keys, POLICY)


def test_a_forger_with_the_servers_key_is_found_out_by_a_copy_of_the_head(scene, registry):
    head = audit.head(scene.server.database_uri, scene.server.keys)
    other = [entry.model_copy(update={"address": "10.0.0.1"}) for entry in scene.ledger()]
    with edited(scene, *replaced(other, scene.server.keys.private_key)):
        found = audit.verify(registry, scene.server.keys, POLICY, head).faults
        assert "history was rewritten" in found[0]


def test_ledger_and_head_cut_back_together_are_found_out_by_a_copy_of_the_head(scene, registry):
    head = audit.head(scene.server.database_uri, scene.server.keys)
    scene.server.inspect(WAITING)  # so that the server has the ledger in memory
    file = scene.server.keys.head_file
    noted = file.read_bytes()
    table = Table(scene.server.database_uri)
    row = table.rows(9, 1)[0]
    table.close()
    with edited(scene, "DELETE FROM tidewaiter_ledger WHERE number > 10"):
        file.write_text(json.dumps({"number": 10, "hash": row.hash}))
        try:
            found = audit.verify(registry, scene.server.keys, POLICY, head).faults
            signing = scene.send(
                "rea", "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x")
            )
        finally:
            file.write_bytes(noted)
    assert "rows were cut off" in found[0]
    assert signing.status_code == 503
    assert faults(scene, registry) == ()

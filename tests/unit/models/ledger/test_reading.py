import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.ledger import reading
from models.ledger.chain import Chain, Head, LedgerError
from tests.support.signing import POLICY, chained, entry, opening, promotion, signing

KEY = Ed25519PrivateKey.generate()
ROWS = chained(promotion(), KEY)


@pytest.fixture
def ledger(monkeypatch):
    """A server whose ledger is a list of rows; `asked` has the queries."""
    rows, asked = list(ROWS), []

    def answer(request):
        after = int(request.url.params["after"])
        asked.append(after)
        page = [row.model_dump() for row in rows if row.number > after][: reading.PAGE]
        return httpx.Response(200, json={"rows": page})

    serve(monkeypatch, answer)
    return rows, asked


def serve(monkeypatch, answer):
    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(reading, "connect", lambda url: httpx.Client(transport=transport, base_url=url))


def read(head=None, key=KEY):
    return reading.book("http://mlflow", key.public_key(), POLICY, head)


def test_a_served_ledger_is_read_page_by_page(ledger, monkeypatch):
    monkeypatch.setattr(reading, "PAGE", 2)
    assert read().champion == 1
    assert ledger[1] == [0, 2, 4]


def test_an_empty_ledger_and_a_server_without_one_have_no_champion(ledger, monkeypatch):
    ledger[0].clear()
    assert read().champion is None
    serve(monkeypatch, lambda _: httpx.Response(404))
    assert read().champion is None


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    assert reading.rows(f"sqlite:///{tmp_path}/mlflow.db") == []
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_sends_the_same_page_for_ever_is_told(ledger, monkeypatch):
    monkeypatch.setattr(reading, "PAGE", 1)
    serve(monkeypatch, lambda _: httpx.Response(200, json={"rows": [ROWS[0].model_dump()]}))
    with pytest.raises(LedgerError, match="after row 1 it sends row 1"):
        read()


def test_rows_cut_off_are_told_by_a_head_taken_earlier(ledger):
    head = Head(number=ROWS[-1].number, hash=ROWS[-1].hash)
    assert read(head).champion == 1
    ledger[0].pop()
    with pytest.raises(LedgerError, match="rows were cut off"):
        read(head)


def test_a_ledger_signed_with_another_key_is_told(ledger):
    with pytest.raises(LedgerError, match="not signed with the server's key"):
        read(key=Ed25519PrivateKey.generate())


def test_what_was_accepted_against_the_rules_is_told_in_spite_of_its_signature(ledger):
    short = [opening(), signing()[0], entry("promote", "tidewaiter")]
    chain, rows = Chain(KEY.public_key()), []
    for each in short:  # a server that does not ask the book
        rows.append(chain.follow(each, KEY))
        chain.extend(rows[-1:])
    ledger[0][:] = rows
    with pytest.raises(LedgerError, match="promote of version 1 by tidewaiter"):
        read()

"""The ledger, read from outside the server: from its database, or over HTTP from the server that keeps it.

A reader need trust neither: chain, signature and rules are checked here, by the public key alone.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.ledger.book import Book
from models.ledger.chain import Chain, Head, LedgerError, Row, check_head
from models.ledger.keys import Keys
from models.policy import Signoff

PAGE = 1000  # rows; the server sends no more at once
_TIMEOUT_S = 200.0  # judging a version may take three minutes


def signed_book(tracking_uri: str, keys: Keys, policy: Signoff) -> Book:
    """Return the book by the keys of this installation, which also know how far the ledger had come.

    Raises LedgerError as `book` does, ValueError if the keys are not whole.
    """
    # The head is read before the rows: the server notes it after it has added a row, so what is noted now must be among
    # them.
    head = Head.model_validate_json(keys.head_file.read_bytes())
    return book(tracking_uri, keys.public_key, policy, head)


def book(tracking_uri: str, public_key: Ed25519PublicKey, policy: Signoff, head: Head | None = None) -> Book:
    """Return what the ledger amounts to; an absent ledger is an empty book.

    Raises LedgerError if the chain is broken, if something was accepted against the rules, or if `head`, taken earlier,
    is not on it.
    """
    found = rows(tracking_uri)
    check_head(found, head)
    return replay(found, public_key, policy)


def replay(found: Sequence[Row], public_key: Ed25519PublicKey, policy: Signoff) -> Book:
    """Return the book that a whole ledger makes; LedgerError as above."""
    made = Book(policy)
    for entry in Chain(public_key).extend(found):
        made.apply(entry)
    return made


def rows(tracking_uri: str) -> list[Row]:
    """Return every row, unverified; none if there is no ledger."""
    if tracking_uri.startswith(("http://", "https://")):
        with connect(tracking_uri) as client:
            return list(served(client))
    # Imported here, because it takes half a second, which readers over HTTP should not spend.
    from sqlalchemy.engine import make_url

    from models.ledger.storage import Table

    url = make_url(tracking_uri)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return []  # opening it would make an empty file that MLflow takes for its database
    table = Table(tracking_uri)
    try:
        return table.rows()
    finally:
        table.close()


def connect(server_url: str) -> httpx.Client:
    """Return a client of the server with the account that MLflow's own client would use."""
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    user, password = (os.environ.get(name, "") for name in names)
    account = httpx.BasicAuth(user, password) if user else None
    return httpx.Client(base_url=server_url, auth=account, timeout=_TIMEOUT_S, trust_env=False)


def served(client: httpx.Client) -> Iterator[Row]:
    """Yield every row that the server gives; none from a server without a ledger."""
    after = 0
    while True:
        response = client.get("/api/2.0/tidewaiter/ledger", params={"after": after})
        if response.status_code == httpx.codes.NOT_FOUND:
            return
        page = [Row.model_validate(row) for row in response.raise_for_status().json()["rows"]]
        yield from page
        if len(page) < PAGE:
            return
        if page[-1].number <= after:
            raise LedgerError(f"the server goes round in circles: after row {after} it sends row {page[-1].number}")
        after = page[-1].number


def ask_to_register(tracking_uri: str, author: str) -> None:
    """Ask the server whether this account may register a version by `author`; ValueError with its sentence if not.

    A store without a server, or a server without a ledger, refuses nobody.
    """
    if not tracking_uri.startswith(("http://", "https://")):
        return
    with connect(tracking_uri) as client:
        response = client.post("/api/2.0/tidewaiter/registering", json={"author": author})
    if response.status_code == httpx.codes.FORBIDDEN:
        raise ValueError(response.json()["message"])
    if response.status_code != httpx.codes.NOT_FOUND:
        response.raise_for_status()

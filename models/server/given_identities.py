"""Whose account is whose at the identity provider: an administrator links an account that was there before.

An identity that has an account already keeps it. Then both accounts are one person's, and the ledger is told so: what
one of them has made, the other may not sign.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.access import Call, Identities, Identity, Refused, accounts, identities, strict_json
from models.evidence import digests
from models.ledger import Entry, storage

PREFIX = "identities"
_NAME = f"tidewaiter/{PREFIX}/accounts"
_FIELDS = {"username", "issuer", "subject"}


@dataclass(frozen=True)
class GivenIdentities:
    """The identities of accounts; `names` tells all accounts, `issuer` whom people sign in at, empty if at none."""

    kept: Identities
    names: Callable[[], Collection[str]]
    issuer: str
    note: Callable[[Entry], None]

    def answer(self, call: Call, request: Request) -> Response:
        """Refuse: who is who at the provider is nobody's to read."""
        raise Refused(f"{call.method} {call.name!r} is not part of this product", 404)

    def act(self, call: Call, request: Request, body: bytes) -> Response:
        """Link the account and the identity that the body names; Refused if that cannot be."""
        if call.name != _NAME:
            raise Refused(f"{call.method} {call.name!r} is not part of this product", 404)
        if not call.is_administrator:
            raise Refused(f"accounts are the administrator's to link, not {call.actor}'s")
        call.refuse_token()
        name, identity = self._read(call, request, body)
        present = self.kept.account(identity)
        told = {"username": name, "issuer": identity.issuer, "subject": identity.subject}
        one_person = (name, present) if present not in (None, name) else ()
        reason = digests.canonical(told).decode()
        self.note(call.entry("account", storage.now(), reason=reason, one_person=one_person))
        if present is None:
            self.kept.link(identity, name, datetime.now(UTC))
        return JSONResponse({"account": present or name})

    def _read(self, call: Call, request: Request, body: bytes) -> tuple[str, Identity]:
        said = strict_json.parse(body, request.headers)
        if not isinstance(said, dict) or said.keys() != _FIELDS:
            raise Refused(f"the body is not an object with {', '.join(sorted(_FIELDS))}", 400)
        call = call.with_body(**said)
        name, subject = call.text("username"), call.text("subject")
        issuer = call.text("issuer") or self.issuer
        if not issuer:
            raise Refused("no one sign-on is set up here: sign_on_issuer is empty, and none was named", 400)
        if name not in self.names() or name in (accounts.ADMINISTRATOR_ACCOUNT, *accounts.RESERVED):
            raise Refused(f"{name[:70]!r} is no person's account", 400)
        if not 0 < len(subject) <= identities.LONGEST_SUBJECT or len(issuer) > identities.LONGEST_ISSUER:
            raise Refused(f"subject is {subject[:70]!r}; allowed: as the identity provider has it", 400)
        return name, Identity(issuer, subject)

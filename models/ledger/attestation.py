"""The signature of a model for those who have no Tidewaiter: an in-toto statement in a DSSE envelope.

The statement names every file of the evidence with its SHA-256, and says when the version was promoted and who had
signed it. All of it follows from the ledger and the manifest, so a version has one statement, whenever it is asked for.
docs/auditor.md verifies it with openssl and sha256sum. Rows of the ledger are signed by the same key over 32 bytes; no
envelope is mistaken for one, as what is signed here begins with "DSSEv1".
"""

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.evidence import Manifest, digests, manifest, seal
from models.ledger.book import Case
from models.ledger.chain import LedgerError
from models.names import MODEL

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PROMOTION = "urn:tidewaiter:promotion:1"


def statement(case: Case | None, evidence: Manifest) -> dict[str, Any]:
    """Return the statement of a promoted version; LedgerError if it was not promoted, or over other evidence."""
    if case is None or case.promoted_at is None:
        raise LedgerError("only a version that was promoted is signed as a model: until then people are still deciding")
    if case.is_void:
        raise LedgerError(f"version {case.version} is void, as its evidence was altered: nothing is signed for it")
    if evidence.digest != case.digest:
        raise LedgerError(
            f"version {case.version} was promoted over evidence {case.digest[:12]}, and not {evidence.digest[:12]}"
        )
    # Of both lists the canonical form is what lies there, so its digest is that of the file.
    files = evidence.files | {manifest.MANIFEST_FILE: evidence.digest}
    if case.seal:
        files |= {seal.SEAL_FILE: case.seal}
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())],
        "predicateType": PROMOTION,
        "predicate": {
            "model": MODEL,
            "version": case.version,
            "promoted_at": case.promoted_at.isoformat(),
            "signed_by": [
                {"step": each.step, "account": each.user, "at": each.at.isoformat()}
                for each in case.in_force(case.promoted_at)
            ],
        },
    }


def envelope(content: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """Return the DSSE envelope of a statement, signed."""
    payload = digests.canonical(content)
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": base64.b64encode(key.sign(encoded(payload))).decode()}],
    }


def encoded(payload: bytes) -> bytes:
    """Return what is signed for a payload, DSSE's pre-authentication encoding.

    >>> encoded(b"{}")
    b'DSSEv1 28 application/vnd.in-toto+json 2 {}'
    """
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)

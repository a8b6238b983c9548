"""The signature of a promoted model, and that the page for auditors verifies it with openssl and sha256sum alone."""

import base64
import json
import re

import pytest
from cryptography.exceptions import InvalidSignature

from models.evidence import digests, manifest, seal, source_code
from models.ledger import Keys, attestation
from models.ledger.chain import LedgerError
from tests.support import envelopes
from tests.support.signing import book_of, entry, opening, promotion, signing

CODE = source_code.Code(commit="c" * 40, is_dirty=False, source_sha256="a" * 64)


@pytest.fixture
def keys(tmp_path):
    keys = Keys(tmp_path / "signoff")
    keys.make()
    return keys


@pytest.fixture
def evidence(tmp_path):
    """Return a folder with evidence, its manifest and a seal."""
    folder = tmp_path / "evidence-2"
    for name in (*manifest.FILES, "model/heads/illicit.txt", "model/scaler.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"what {name} says\n")
    manifest.assemble(folder, "d" * 32, {"train": "2024-01-01/2024-06-30"}, CODE).write(folder)
    seal.of(folder, folder / "model", {"rows": "7"}, {"auc": 0.5}).write(folder)
    return folder


def read(folder):
    return manifest.read((folder / manifest.MANIFEST_FILE).read_bytes())


def case(folder, *after, entries=promotion):
    """Return version 2 as the ledger has it over the evidence of a folder, promoted unless `entries` say otherwise."""
    digests = {"digest": read(folder).digest}
    opened, *rest = (each.model_copy(update=digests) for each in entries(2))
    sealed = seal.read(folder)
    return book_of(opened.model_copy(update={"seal": sealed.digest}), *rest, *after).cases[2]


def waiting(version):
    return [opening(version), *signing(version)]


def signed(folder, keys):
    return attestation.envelope(attestation.statement(case(folder), read(folder)), keys.private_key)


def test_it_names_every_file_of_the_evidence_and_who_had_signed(evidence):
    found = attestation.statement(case(evidence), read(evidence))
    listed = {each["name"]: each["digest"]["sha256"] for each in found["subject"]}
    there = {p.relative_to(evidence).as_posix(): digests.file_digest(p) for p in evidence.rglob("*") if p.is_file()}
    assert listed == there
    assert found["predicate"]["version"] == 2
    assert [(each["step"], each["account"]) for each in found["predicate"]["signed_by"]] == [
        ("technical", "ann"),
        ("governance", "bob"),
        ("governance", "cid"),
    ]


def test_a_version_of_before_there_were_seals_has_none_in_it(evidence):
    old = case(evidence)
    old.seal = None
    names = [each["name"] for each in attestation.statement(old, read(evidence))["subject"]]
    assert seal.SEAL_FILE not in names
    assert manifest.MANIFEST_FILE in names


def test_only_what_the_ledger_has_promoted_is_signed(evidence):
    for absent in (None, case(evidence, entries=waiting)):
        with pytest.raises(LedgerError, match="only a version that was promoted is signed as a model"):
            attestation.statement(absent, read(evidence))
    other = read(evidence).model_copy(update={"data_version": "e" * 32})
    with pytest.raises(LedgerError, match="version 2 was promoted over evidence"):
        attestation.statement(case(evidence), other)
    void = entry("void", "mlflow-server", 2, digest="f" * 64)
    with pytest.raises(LedgerError, match="version 2 is void"):
        attestation.statement(case(evidence, void), read(evidence))


def test_what_follows_later_changes_no_byte_of_it(evidence, keys):
    before = signed(evidence, keys)
    opened, *rest = promotion(3, day=90)
    later = (opened.model_copy(update={"seal": "5" * 64}), *rest)
    assert (
        attestation.envelope(attestation.statement(case(evidence, *later), read(evidence)), keys.private_key) == before
    )


def test_the_envelope_is_signed_as_dsse_says(evidence, keys):
    envelope = signed(evidence, keys)
    payload = base64.b64decode(envelope["payload"])
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    keys.public_key.verify(signature, attestation.encoded(payload))
    with pytest.raises(InvalidSignature):
        keys.public_key.verify(signature, payload)


@pytest.fixture
def handed_over(evidence, keys):
    """Return the evidence with its signature."""
    (evidence / "signature.json").write_text(json.dumps(signed(evidence, keys), indent=1) + "\n")
    return evidence


def test_the_page_verifies_it_without_tidewaiter(handed_over, keys):
    assert not {"tidewaiter", "python"} & set(re.findall(r"\w+", envelopes.shown()))
    done = envelopes.verified(handed_over, keys)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert done.stdout.count(": OK") == len(read(handed_over).files) + 2


@pytest.mark.parametrize("name", ["model/heads/illicit.txt", "card.md", manifest.MANIFEST_FILE, seal.SEAL_FILE])
def test_the_page_finds_one_changed_byte_of_a_file(handed_over, keys, name):
    (handed_over / name).write_bytes((handed_over / name).read_bytes() + b" ")
    done = envelopes.verified(handed_over, keys)
    assert done.returncode != 0
    assert f"{name}: FAILED" in done.stdout


def test_the_page_finds_a_statement_that_was_rewritten_and_another_key(handed_over, keys, tmp_path):
    whole = (handed_over / "signature.json").read_text()
    content = json.loads(whole)
    rewritten = base64.b64decode(content["payload"]).replace(b'"version":2', b'"version":3')
    content["payload"] = base64.b64encode(rewritten).decode()
    (handed_over / "signature.json").write_text(json.dumps(content, indent=1))
    assert envelopes.verified(handed_over, keys).returncode != 0
    (handed_over / "signature.json").write_text(whole)
    other = Keys(tmp_path / "other")
    other.make()
    assert envelopes.verified(handed_over, other).returncode != 0

"""Tests trust one authority, and what each HTTP client and each new password costs is little in every process."""

import os
import ssl
import subprocess
import sys

import pytest

from tests.support import authorities

CHILD = """
import certifi, httpx
from werkzeug.security import check_password_hash, generate_password_hash

with httpx.Client(trust_env=False):
    made = generate_password_hash("rea's")
assert check_password_hash(made, "rea's") and not check_password_hash(made, "rob's")
print(certifi.where(), made.partition("$")[0])
"""


@pytest.mark.parametrize("before", [None, "/own.pem"])
def test_one_authority_is_trusted(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if before is not None:
        monkeypatch.setenv("SSL_CERT_FILE", before)
    with authorities.one():
        assert len(ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]).get_ca_certs()) == 1
    assert os.environ.get("SSL_CERT_FILE") == before


def test_children_trust_it_too_and_make_cheap_hashes() -> None:
    said = subprocess.check_output([sys.executable, "-c", CHILD], text=True)
    assert said.split() == [os.environ["SSL_CERT_FILE"], "scrypt:256:8:1"]

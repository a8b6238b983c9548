"""Tests trust one authority, unless somebody has said which."""

import os
import ssl

import pytest

from tests.support import authorities


def test_one_authority_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with authorities.one():
        assert len(ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]).get_ca_certs()) == 1
    assert "SSL_CERT_FILE" not in os.environ


def test_what_the_environment_says_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/own.pem")
    with authorities.one():
        assert os.environ["SSL_CERT_FILE"] == "/own.pem"

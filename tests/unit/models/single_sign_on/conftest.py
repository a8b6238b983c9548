"""An identity provider on loopback, and one person at it."""

import pytest

from models.single_sign_on import Client, Provider
from tests.support.identity_provider import CLIENT_ID, SECRET, IdentityProvider, serving

REDIRECT = "http://127.0.0.1:5000/sign-in/callback"


@pytest.fixture(scope="package")
def _served():
    with serving(IdentityProvider()) as served:
        yield served


@pytest.fixture
def idp(_served):
    """The provider as it is at first, with ana in two groups, at the browser."""
    fresh = IdentityProvider(_served.issuer)
    fresh.people["s-1"] = {"preferred_username": "ana", "groups": ["staff", "reviewers"]}
    fresh.who = "s-1"
    for name, value in vars(fresh).items():
        setattr(_served, name, value)
    return _served


@pytest.fixture
def client(idp):
    return Client(idp.issuer, CLIENT_ID, SECRET)


@pytest.fixture
def provider(client):
    return Provider(client)

"""What the identity provider says, and what of it is believed."""

import hmac
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from models.access import Identity
from models.single_sign_on import Away, Client, Denied, Provider
from models.single_sign_on.provider import KNOWN_S, LEEWAY_S, MOST_GROUPS, NEW_KEYS_S, REST_S
from tests.support.identity_provider import CLIENT_ID, EC, RSA, SECRET, unsigned
from tests.unit.models.single_sign_on.conftest import REDIRECT


def signed_in(provider, idp):
    """Whom the provider confirms for the person at the browser."""
    address, asked = provider.begin(REDIRECT)
    back = parse_qs(urlsplit(idp.visit(address)).query)
    assert back["state"] == [asked.state]
    return provider.finish(asked, back["code"][0], REDIRECT)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_person_is_confirmed_with_groups_and_name(provider, idp, algorithm):
    idp.algorithm = algorithm
    found = signed_in(provider, idp)
    assert found.identity == Identity(idp.issuer, "s-1")
    assert (found.name, found.groups) == ("ana", {"staff", "reviewers"})


def test_the_browser_is_sent_with_pkce_state_and_nonce_that_are_new_each_time(provider, idp):
    seen = set()
    for _ in range(2):
        address, asked = provider.begin(REDIRECT)
        sent = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert sent["scope"] == "openid profile email"
        assert sent["code_challenge"] != asked.verifier
        assert (sent["state"], sent["nonce"], sent["redirect_uri"]) == (asked.state, asked.nonce, REDIRECT)
        seen |= {asked.state, asked.nonce, asked.verifier}
    assert len(seen) == 6


def test_who_has_no_name_is_called_by_the_mail_address_or_not_at_all(provider, idp):
    idp.people["s-1"] = {"email": "ana@customs.example", "groups": []}
    assert signed_in(provider, idp).name == "ana@customs.example"
    idp.people["s-1"] = {"preferred_username": ["ana"]}
    found = signed_in(provider, idp)
    assert (found.name, found.groups) == ("", frozenset())


def wrong(**claims):
    return lambda given: {**given, **claims}


def without(name):
    return lambda given: {key: value for key, value in given.items() if key != name}


@pytest.mark.parametrize(
    "spoil",
    [
        wrong(exp=int(time.time()) - LEEWAY_S - 5),
        wrong(iat=int(time.time()) + 3600, nbf=int(time.time()) + 3600),
        wrong(iss="https://evil.example"),
        wrong(iss=None),
        wrong(aud="another-client"),
        wrong(aud=[]),
        wrong(aud=[CLIENT_ID, "another-client"]),  # without azp nobody says to whom it was given
        wrong(aud=[CLIENT_ID, "another-client"], azp="another-client"),
        wrong(nonce="of another sign-in"),
        without("nonce"),
        without("exp"),
        without("iat"),
        without("sub"),
        without("aud"),
        wrong(sub=""),
        wrong(sub=7),
        wrong(sub="x" * 256),
        wrong(sub="s-1\n"),
        wrong(groups="reviewers"),
        wrong(groups=[1]),
        wrong(groups=["g"] * (MOST_GROUPS + 1)),
        wrong(_claim_names={"groups": "src1"}),  # there are more than fit, so it is not known which
    ],
)
def test_an_id_token_that_says_anything_else_is_not_believed(provider, idp, spoil):
    idp.spoil = spoil
    with pytest.raises(Denied):
        signed_in(provider, idp)


def test_the_clocks_may_differ_a_little(provider, idp):
    idp.spoil = wrong(exp=int(time.time()) - LEEWAY_S + 10)
    assert signed_in(provider, idp).name == "ana"


def hmac_with_the_published_key(claims):
    """Sign with HMAC, the provider's public key as the secret: who trusts the header takes one for the other."""
    header = {"alg": "HS256", "kid": "rsa"}
    signed = unsigned(header, claims).rpartition(".")[0]
    return unsigned(header, claims, hmac.digest(RSA.as_pem(private=False), signed.encode(), "sha256"))


FORGED = {
    "none": lambda claims: unsigned({"alg": "none"}, claims),
    "none with a signature": lambda claims: unsigned({"alg": "none", "kid": "rsa"}, claims, b"x"),
    "None": lambda claims: unsigned({"alg": "None", "kid": "rsa"}, claims),
    "no signature": lambda claims: jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, RSA).rpartition(".")[0] + ".",
    "hmac": hmac_with_the_published_key,
    "another RSA key": lambda claims: jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, RSAKey.generate_key(2048)),
    "another EC key": lambda claims: jwt.encode({"alg": "ES256", "kid": "ec"}, claims, ECKey.generate_key("P-256")),
    "a key of its own": lambda claims: _with_its_own_key(claims),
    "the other kind of key": lambda claims: jwt.encode({"alg": "ES256", "kid": "rsa"}, claims, EC),
    "another algorithm": lambda claims: jwt.encode({"alg": "RS512", "kid": "rsa"}, claims, RSA, algorithms=["RS512"]),
    "claims changed": lambda claims: _changed(jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, RSA)),
    "no token": lambda claims: "x",
    "not text": lambda claims: 7,
}


def _with_its_own_key(claims):
    key = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "jwk": key.as_dict(private=False)}, claims, key)


def _changed(token):
    header, _, signature = token.split(".")
    return ".".join((header, unsigned({}, {"sub": "s-2"}).split(".")[1], signature))


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_an_id_token_that_the_provider_has_not_signed_is_not_believed(provider, idp, forge):
    idp.sign = forge
    with pytest.raises(Denied):
        signed_in(provider, idp)


def test_a_code_counts_once_and_only_with_the_secret_of_who_began(provider, idp):
    address, asked = provider.begin(REDIRECT)
    code = parse_qs(urlsplit(idp.visit(address)).query)["code"][0]
    _, other = provider.begin(REDIRECT)
    with pytest.raises(Denied, match="invalid_grant"):
        provider.finish(other, code, REDIRECT)
    code = parse_qs(urlsplit(idp.visit(address)).query)["code"][0]
    assert provider.finish(asked, code, REDIRECT).name == "ana"
    with pytest.raises(Denied, match="invalid_grant"):
        provider.finish(asked, code, REDIRECT)


def test_a_client_without_its_secret_is_refused(client, idp):
    with pytest.raises(Denied, match="invalid_client"):
        signed_in(Provider(Client(client.issuer, CLIENT_ID, "guessed")), idp)


def test_the_provider_is_asked_again_and_says_who_is_in_which_groups_now(provider, idp):
    first = signed_in(provider, idp)
    idp.people["s-1"]["groups"] = ["staff"]
    second = provider.renew(first)
    assert (second.identity, second.groups) == (first.identity, {"staff"})
    assert second.refresh_token != first.refresh_token
    with pytest.raises(Denied, match="invalid_grant"):
        provider.renew(first)  # its refresh token was used
    del idp.people["s-1"]
    with pytest.raises(Denied, match="invalid_grant"):
        provider.renew(second)


def test_who_comes_back_as_somebody_else_is_not_confirmed(provider, idp):
    first = signed_in(provider, idp)
    idp.spoil = wrong(sub="s-2")
    with pytest.raises(Denied, match="somebody else"):
        provider.renew(first)


def test_without_a_refresh_token_nobody_is_confirmed_again(provider, idp):
    idp.gives_refresh_token = False
    with pytest.raises(Denied, match="asked again"):
        provider.renew(signed_in(provider, idp))


def test_an_answer_without_an_id_token_confirms_nobody(provider, idp):
    first = signed_in(provider, idp)
    idp.sign = lambda claims: None
    with pytest.raises(Denied, match="no ID token"):
        provider.renew(first)


def test_a_provider_that_does_not_answer_says_nothing_of_a_person(provider, idp):
    now = [0.0]
    provider = Provider(provider.client, clock=lambda: now[0])
    idp.is_away = True
    with pytest.raises(Away):
        provider.begin(REDIRECT)
    idp.is_away = False
    with pytest.raises(Away, match="a moment ago"):
        provider.begin(REDIRECT)
    now[0] += REST_S
    first = signed_in(provider, idp)
    idp.is_away = True
    for _ in range(3):  # those who wait behind the first are told at once
        with pytest.raises(Away):
            provider.renew(first)
    assert idp.asked.count("in vain") == 1
    idp.is_away = False
    now[0] += REST_S
    assert provider.renew(first).identity == first.identity
    nowhere = Provider(Client("http://127.0.0.1:1", CLIENT_ID, SECRET))
    with pytest.raises(Away):
        nowhere.begin(REDIRECT)


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        "nothing",
    ],
)
def test_a_provider_that_says_what_it_may_not_is_none(provider, idp, said):
    provider.begin(REDIRECT)
    idp.says = said
    with pytest.raises(Away):
        Provider(provider.client).begin(REDIRECT)


def test_new_keys_are_asked_for_when_a_token_names_one_and_not_at_every_such_token(client, idp):
    now = [0.0]
    provider = Provider(client, clock=lambda: now[0])
    signed_in(provider, idp)
    assert idp.asked.count("keys") == 1
    idp.keys = {"RS256": RSAKey.generate_key(2048, {"kid": "new"})}
    with pytest.raises(Denied):
        signed_in(provider, idp)  # it has just asked
    now[0] += NEW_KEYS_S
    assert signed_in(provider, idp).name == "ana"
    idp.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": "made up"}, claims, RSA)
    for _ in range(3):
        with pytest.raises(Denied):
            signed_in(provider, idp)
    assert idp.asked.count("keys") == 2
    now[0] += KNOWN_S
    provider.begin(REDIRECT)
    assert idp.asked.count("keys") == 3


def test_a_secret_key_that_a_provider_publishes_signs_nothing(client, idp):
    leaked = OctKey.generate_key(256, {"kid": "oct"})
    idp.keys["HS256"] = leaked
    leaked.as_dict = lambda private: {**OctKey.as_dict(leaked, private=True)}
    idp.sign = lambda claims: jwt.encode({"alg": "HS256", "kid": "oct"}, claims, leaked, algorithms=["HS256"])
    with pytest.raises(Denied):
        signed_in(Provider(client), idp)


@pytest.mark.parametrize(
    ("issuer", "client_id", "scopes", "setting"),
    [
        ("http://login.customs.example", "x", ("openid",), "sign_on_issuer"),
        ("login.customs.example", "x", ("openid",), "sign_on_issuer"),
        ("https://login.customs.example/?a=1", "x", ("openid",), "sign_on_issuer"),
        ("https://login.customs.example", "", ("openid",), "sign_on_client_id"),
        ("https://login.customs.example", "x", ("profile",), "sign_on_scopes"),
    ],
)
def test_a_client_that_cannot_be_is_refused_by_its_setting(issuer, client_id, scopes, setting):
    with pytest.raises(ValueError, match=rf"{setting} .*allowed: "):
        Client.read(issuer, client_id, None, scopes)


def test_the_secret_is_in_a_file_for_its_owner_alone(tmp_path):
    file = tmp_path / "secret"
    given = ("https://login.customs.example", "x", file)
    with pytest.raises(ValueError, match="cannot be read"):
        Client.read(*given)
    file.touch(0o600)
    with pytest.raises(ValueError, match="empty; allowed"):
        Client.read(*given)
    file.write_text(" abc\n")
    client = Client.read(*given)
    assert client.secret == "abc"
    assert "abc" not in repr(client)
    file.chmod(0o640)
    with pytest.raises(ValueError, match=r"open to others \(mode 640\); allowed: 600"):
        Client.read(*given)

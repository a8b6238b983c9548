"""Attacks on one sign-on: what comes back from the provider, sessions, and those who are not who they say.

The guard runs in this process, with real accounts, and the identity provider is a real one on loopback.
"""

import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from starlette.websockets import WebSocketDisconnect

from models.single_sign_on.provider import REST_S
from tests.support import one_sign_on
from tests.support.identity_provider import RSA, IdentityProvider, serving, unsigned


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    file = tmp_path_factory.mktemp("accounts") / "accounts.db"
    one_sign_on.make_accounts(file)
    return file


@pytest.fixture(scope="module")
def served():
    with serving(IdentityProvider()) as found:
        yield found


@pytest.fixture
def idp(served):
    fresh = IdentityProvider(served.issuer)
    fresh.people = {
        "s-rea": {"preferred_username": "rea", "groups": ["reviewers"]},
        "s-ana": {"preferred_username": "ana", "groups": ["analysts"]},
        "s-max": {"preferred_username": "max", "groups": ["makers", "analysts"]},
        "s-out": {"preferred_username": "out", "groups": ["canteen"]},
    }
    for name, value in vars(fresh).items():
        setattr(served, name, value)
    return served


@pytest.fixture
def house(template, tmp_path, idp):
    yield from one_sign_on.opened(template, tmp_path, idp)


@pytest.fixture
def browser(house):
    return house.browser()


def is_outside(house, browser, answer, status):
    """Whether nobody was let in, and nothing was changed."""
    return answer.status_code == status and not browser.session and browser.who() is None and not house.notes


def test_who_is_confirmed_is_let_in_with_the_roles_of_the_groups(house, browser):
    answer = browser.sign_in("s-rea", "/desk/cases/3")
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0;url=/desk/cases/3">' in answer.text
    assert browser.open("/signoff").json() == {"name": "signoff", "actor": "rea", "roles": ["reviewer"]}
    assert [entry.actor for entry in house.notes] == ["mlflow-server"] * 2
    assert '"subject":"s-rea"' in house.notes[0].reason


# What the provider's answer may not be.

_NOW = int(time.time())


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": _NOW - 60},
        {"aud": "another-client"},
        {"aud": ["tidewaiter", "another-client"]},
        {"iss": "https://evil.example"},
        {"nonce": "of another sign-in"},
        {"sub": ""},
    ],
    ids=["expired", "audience", "audiences", "issuer", "nonce", "nobody"],
)
def test_an_id_token_for_another_time_client_or_sign_in_lets_nobody_in(house, browser, idp, claims):
    idp.spoil = lambda given: {**given, **claims}
    assert is_outside(house, browser, browser.sign_in("s-rea"), 403)


@pytest.mark.parametrize(
    "forge",
    [
        lambda claims: unsigned({"alg": "none"}, claims),
        lambda claims: unsigned({"alg": "HS256", "kid": "rsa"}, claims, _hmac(claims)),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, RSA)[:-8] + "AAAAAAAA",
    ],
    ids=["no algorithm", "the public key as a secret", "another signature"],
)
def test_a_forged_id_token_lets_nobody_in(house, browser, idp, forge):
    idp.sign = forge
    assert is_outside(house, browser, browser.sign_in("s-rea"), 403)


def _hmac(claims):
    import hmac

    signed = unsigned({"alg": "HS256", "kid": "rsa"}, claims).rpartition(".")[0]
    return hmac.digest(RSA.as_pem(private=False), signed.encode(), "sha256")


# Sign-ins that somebody else has begun, or that were used.


def test_a_way_back_is_gone_once_it_was_used_even_if_the_provider_honours_the_code(house, browser, idp):
    idp.honours_used_codes = True
    idp.who = "s-rea"
    back = idp.visit(browser.begin())
    kept = dict(browser.client.cookies)
    assert browser.come_back(back).status_code == 200
    browser.client.cookies.clear()
    browser.client.cookies.update(kept)
    assert browser.come_back(back).status_code == 400
    assert browser.who() is None


def test_nobody_is_signed_in_as_somebody_else_by_a_link(house, browser, idp):
    """An attacker begins, signs in at the provider, and has another browser follow the way back."""
    idp.who = "s-ana"
    back = idp.visit(house.browser().begin())
    assert is_outside(house, browser, browser.come_back(back), 400)
    browser.begin()
    assert is_outside(house, browser, browser.come_back(back), 400)


@pytest.mark.parametrize("change", [{"state": "x"}, {"state": ""}, {"code": "guessed"}, {"code": ""}])
def test_a_way_back_that_was_changed_lets_nobody_in(house, browser, idp, change):
    idp.who = "s-rea"
    parts = urlsplit(idp.visit(browser.begin()))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | change
    answer = browser.come_back(f"{parts.path}?{urlencode(query)}")
    assert is_outside(house, browser, answer, 403 if "code" in change else 400)


def test_a_sealed_cookie_that_was_changed_or_is_of_another_sign_in_counts_for_nothing(house, browser, idp):
    idp.who = "s-rea"
    back = idp.visit(browser.begin())
    (name,) = [each for each in browser.client.cookies if each.startswith("tidewaiter-sign-in-")]
    other = house.browser()
    other.begin()
    (foreign,) = [value for each, value in other.client.cookies.items() if each.startswith("tidewaiter-sign-in-")]
    for value in (browser.client.cookies[name][:-6] + "AAAA==", foreign, "", "x"):
        browser.client.cookies.set(name, value, domain="127.0.0.1", path="/")
        assert browser.come_back(back).status_code == 400
    assert browser.who() is None


def test_a_refusal_of_the_provider_is_shown_as_text(house, browser):
    address = browser.begin()
    state = parse_qs(urlsplit(address).query)["state"][0]
    query = urlencode({"state": state, "error": "<script>alert(1)</script>"})
    answer = browser.come_back(f"/sign-in/callback?{query}")
    assert is_outside(house, browser, answer, 403)
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


# Where one is led afterwards.


@pytest.mark.parametrize(
    "then",
    [
        "//evil.example",
        "///evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/%0d%0aSet-Cookie:x=y\r\n",
        "evil.example",
        "/sign-out",
        "",
        "/" + "x" * 3000,
        "/é",
    ],
)
def test_nobody_is_led_elsewhere_after_signing_in(house, browser, then):
    answer = browser.sign_in("s-rea", then)
    assert answer.status_code == 200
    assert 'content="0;url=/"' in answer.text
    assert "evil.example" not in answer.text


def test_what_leads_back_cannot_break_out_of_the_page(house, browser):
    text = browser.sign_in("s-rea", '/desk?x="><script>alert(1)</script>').text
    assert "<script>alert" not in text


def test_the_provider_is_asked_to_lead_back_to_a_name_of_this_server_alone(house, browser, idp):
    answer = browser.client.get("/sign-in", headers={**one_sign_on.BROWSER, "host": "evil.example"})
    assert answer.status_code == 403
    assert browser.begin().count("redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fsign-in%2Fcallback") == 1


# Sessions.


def test_a_session_that_somebody_has_put_into_the_browser_is_not_the_one_that_begins(house, browser):
    """Session fixation: the attacker's id is known to the attacker, and must mean nothing afterwards."""
    browser.client.cookies.set("tidewaiter-session", "chosen-by-the-attacker", domain="127.0.0.1", path="/")
    browser.sign_in("s-rea")
    assert browser.who() == "rea"
    planted = house.browser()
    planted.client.cookies.set("tidewaiter-session", "chosen-by-the-attacker", domain="127.0.0.1", path="/")
    assert planted.who() is None


def test_a_session_of_the_attacker_ends_when_the_owner_of_the_browser_signs_in(house, browser):
    attacker = house.browser()
    attacker.sign_in("s-ana")
    browser.client.cookies.set("tidewaiter-session", attacker.session, domain="127.0.0.1", path="/")
    assert browser.who() == "ana"
    browser.sign_in("s-rea")
    assert (browser.who(), attacker.who()) == ("rea", None)


def test_the_cookies_are_read_by_no_script_and_sent_by_no_other_site(house, browser):
    idp = house.idp
    idp.who = "s-rea"
    begun = browser.open("/sign-in").headers["set-cookie"]
    assert all(said in begun for said in ("HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/;"))
    told = browser.sign_in("s-rea").headers.get_list("set-cookie")
    session = next(each for each in told if each.startswith("tidewaiter-session="))
    assert all(said in session for said in ("HttpOnly", "SameSite=lax", "Path=/"))
    assert "Secure" not in session  # loopback has no encryption
    house.url = one_sign_on.PUBLIC
    begun = house.browser().open("/sign-in").headers["set-cookie"]
    assert begun.startswith("__Host-tidewaiter-sign-in-")
    assert all(said in begun for said in ("Path=/;", "Secure"))
    told = house.browser().sign_in("s-rea").headers.get_list("set-cookie")
    session = next(each for each in told if "tidewaiter-session=" in each)
    assert session.startswith("__Host-tidewaiter-session=")
    assert all(said in session for said in ("HttpOnly", "SameSite=lax", "Path=/", "Secure"))
    assert "Domain" not in session


def test_a_session_ends_after_its_longest_time_however_much_it_is_used(house, browser):
    browser.sign_in("s-rea")
    for _ in range(19):
        house.now[0] += 1_800
        assert browser.who() == "rea"
    house.now[0] += 1_800
    assert browser.who() is None


def test_a_session_ends_when_it_is_not_used(house, browser):
    browser.sign_in("s-rea")
    house.now[0] += 3_599
    assert browser.who() == "rea"
    house.now[0] += 3_600
    assert browser.who() is None


def test_signing_out_ends_the_session_and_not_only_the_cookie(house, browser):
    browser.sign_in("s-rea")
    thief = house.browser()
    thief.client.cookies.update(browser.client.cookies)
    assert thief.who() == "rea"
    assert browser.send("/sign-out").status_code == 200
    assert (browser.who(), thief.who()) == (None, None)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_other_page_signs_anybody_out(house, browser, method):
    browser.sign_in("s-rea")
    headers = {**one_sign_on.FROM_PROVIDER, "origin": "https://evil.example"}
    browser.client.request(method, "/sign-out", headers=headers)
    browser.client.get("/sign-out", headers=one_sign_on.FROM_PROVIDER)
    assert browser.who() == "rea"


def test_no_other_page_signs_in_the_name_of_a_session(house, browser):
    house.open_version("dan")
    browser.sign_in("s-ana")
    headers = {**one_sign_on.FROM_PROVIDER, "origin": "https://evil.example"}
    assert browser.client.post("/signoff", headers=headers).status_code == 403
    assert browser.client.get("/desk/cases/1", headers=one_sign_on.FROM_PROVIDER).status_code == 403


def test_a_page_that_fetches_without_a_session_is_not_asked_for_a_password(house, browser):
    fetching = {**one_sign_on.BROWSER, "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin"}
    answer = browser.client.get("/signoff", headers=fetching)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    led = browser.open("/signoff?x=1")
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?then=%2Fsignoff%3Fx%3D1")


def test_what_proves_a_person_does_not_reach_mlflow_and_nobody_introduces_somebody(house, browser):
    browser.sign_in("s-rea")
    asked = browser.client.get("/api/2.0/mlflow/runs/get", headers=one_sign_on.BROWSER)
    assert asked.json() == {"account": "rea", "seen": []}
    forged = {**one_sign_on.BROWSER, "x-tidewaiter-account": "guessed admin"}
    assert browser.client.get("/api/2.0/mlflow/runs/get", headers=forged).json()["account"] == "rea"
    assert house.program(headers={"x-tidewaiter-account": "guessed admin"}).status_code == 401
    assert house.browser().client.get("/health", headers=forged).json()["account"] is None


# Who is asked about again.


def test_a_group_that_was_removed_while_signed_in_takes_the_role_away(house, browser, idp):
    house.open_version("dan")
    browser.sign_in("s-max")
    assert house.roles("max") == ("data-scientist", "risk-analyst")
    idp.people["s-max"]["groups"] = ["makers"]
    house.now[0] += 599
    assert browser.open("/signoff").json()["roles"] == ["data-scientist", "risk-analyst"]
    house.now[0] += 1
    assert browser.open("/signoff").json()["roles"] == ["data-scientist"]
    assert house.roles("max") == ("data-scientist",)  # in MLflow's accounts too, so that tokens have it no more
    assert browser.send("/signoff").json()["refusal"]
    assert '"is_given":false' in house.notes[-1].reason


def test_whoever_has_no_group_left_has_no_session_left(house, browser, idp):
    browser.sign_in("s-rea")
    idp.people["s-rea"]["groups"] = []
    house.now[0] += 600
    assert browser.who() is None
    assert house.roles("rea") == ()
    idp.people["s-rea"]["groups"] = ["reviewers"]
    assert browser.who() is None  # and comes in by the provider alone
    browser.sign_in("s-rea")
    assert browser.who() == "rea"


def test_whoever_has_left_the_house_has_no_session_left(house, browser, idp):
    browser.sign_in("s-rea")
    del idp.people["s-rea"]
    house.now[0] += 600
    assert browser.who() is None


def test_without_a_refresh_token_the_browser_asks_the_provider_again(house, browser, idp):
    idp.gives_refresh_token = False
    browser.sign_in("s-rea")
    house.now[0] += 599
    assert browser.who() == "rea"
    house.now[0] += 1
    assert browser.open("/signoff").headers["location"].startswith("/sign-in?then=")


def test_while_the_provider_is_away_nobody_goes_on_unconfirmed_and_nobody_is_thrown_out(house, browser, idp):
    browser.sign_in("s-rea")
    house.now[0] += 600
    idp.is_away = True
    for _ in range(2):
        answer = browser.open("/signoff")
        assert answer.status_code == 503
        assert "has to confirm your session" in answer.text
    idp.is_away = False
    house.now[0] += REST_S
    assert browser.who() == "rea"


def test_an_account_that_was_taken_away_has_no_session_left_and_is_not_made_again(house, browser):
    browser.sign_in("s-rea")
    house.store.delete_user("rea")
    assert browser.who() is None
    answer = browser.sign_in("s-rea")
    assert answer.status_code == 403
    assert "was taken away" in answer.text


# Who is who.


def test_a_stranger_gets_no_account(house, browser):
    assert is_outside(house, browser, browser.sign_in("s-out"), 403)
    assert "out" not in house.directory.names()


def test_the_author_may_not_sign_under_another_name(house, browser, idp):
    browser.sign_in("s-max")
    house.open_version("max")
    idp.people["s-max"] |= {"preferred_username": "maximilian", "email": "m@customs.example", "groups": ["analysts"]}
    again = house.browser()
    again.sign_in("s-max")
    said = again.send("/signoff").json()
    assert said == {"actor": "max", "refusal": "max made version 1, and so may not sign it"}
    assert "maximilian" not in house.directory.names()


def test_the_author_may_not_sign_by_the_provider_what_was_made_under_a_password(house, browser, idp):
    house.store.create_user("maxine", "a-password-0123")
    house.open_version("maxine")
    assert house.link("admin", "maxine", "s-max").json() == {"account": "maxine"}
    browser.sign_in("s-max")
    assert browser.send("/signoff").json() == {
        "actor": "maxine",
        "refusal": "maxine made version 1, and so may not sign it",
    }


def test_the_author_may_not_sign_by_an_account_that_is_linked_afterwards_nor_does_what_was_signed_count(house, browser):
    house.store.create_user("maxine", "a-password-0123")
    house.open_version("maxine")
    browser.sign_in("s-max")
    assert browser.send("/signoff").json() == {"actor": "max", "refusal": None}
    assert house.link("admin", "maxine", "s-max").json() == {"account": "max"}
    assert house.book.cases[1].approvals == []
    assert browser.send("/signoff").json()["refusal"] == "max made version 1, and so may not sign it"


def test_nobody_links_an_account_but_an_administrator_and_none_of_the_servers_own(house, browser):
    browser.sign_in("s-rea")
    assert (house.identities.accounts(house.idp.issuer), house.identities.accounts("other")) == ({"rea"}, set())
    token = made(browser)
    body = {"username": "admin", "issuer": "", "subject": "s-max"}
    place = "/api/2.0/tidewaiter/identities/accounts"
    assert house.browser().client.post(place, json=body, auth=("rea", token)).status_code == 403
    for name in ("admin", "tidewaiter", "nobody"):
        assert house.link("admin", name, "s-max").status_code == 400
    for subject in ("", "x" * 256):
        assert house.link("admin", "rea", subject).status_code == 400
    house.browser().sign_in("s-max")
    assert house.roles("admin") == ("administrator",)


def test_the_token_of_an_administrator_links_no_account(house, browser, idp):
    idp.people["s-adm"] = {"preferred_username": "adm", "groups": ["keepers"]}
    browser.sign_in("s-adm")
    body = {"username": "adm", "issuer": "", "subject": "s-max"}
    place = "/api/2.0/tidewaiter/identities/accounts"
    answer = house.browser().client.post(place, json=body, auth=("adm", made(browser)))
    assert (answer.status_code, "sign in yourself" in answer.text) == (403, True)
    house.browser().sign_in("s-max")
    assert "administrator" not in house.roles("max")


def test_nobody_gets_the_account_of_another_by_taking_the_name(house, browser, idp):
    browser.sign_in("s-rea")
    for taken in ("rea", "REA", "admin", "tidewaiter", "mlflow-server", "tidewaiter-up"):
        idp.people["s-new"] = {"preferred_username": taken, "groups": ["analysts", "keepers"]}
        other = house.browser()
        assert other.sign_in("s-new").status_code == 403
        assert other.who() is None
    assert house.roles("rea") == ("reviewer",)
    assert house.roles("admin") == ("administrator",)


def test_the_name_of_somebody_who_was_taken_away_is_not_given_to_another(house, browser, idp):
    browser.sign_in("s-rea")
    house.store.delete_user("rea")
    idp.people["s-new"] = {"preferred_username": "Rea", "groups": ["analysts"]}
    answer = house.browser().sign_in("s-new")
    assert answer.status_code == 403
    assert "another person" in answer.text


@pytest.mark.parametrize("name", ["", "<b>rea</b>", "rea lee", "réa", "a:b", "x" * 64, "../rea", "rea\n"])
def test_a_name_that_names_nobody_makes_no_account(house, browser, idp, name):
    idp.people["s-odd"] = {"preferred_username": name, "groups": ["analysts"]}
    answer = browser.sign_in("s-odd")
    assert is_outside(house, browser, answer, 403)
    assert "<b>rea" not in answer.text


def test_groups_give_no_role_that_they_do_not_name(house, browser, idp):
    idp.people["s-rea"]["groups"] = ["reviewers", "administrator", "service", "risk-analyst", "analysts "]
    browser.sign_in("s-rea")
    assert house.roles("rea") == ("reviewer",)


def test_a_role_that_somebody_else_gave_is_taken_back_at_the_next_arrival(house, browser):
    browser.sign_in("s-rea")
    user, numbers = house.store.get_user("rea"), house.directory.roles()
    house.store.assign_role_to_user(user.id, numbers["risk-analyst"])
    house.store.update_user("rea", is_admin=True)
    assert browser.open("/signoff").json()["roles"] == ["reviewer"]  # nor does it count until then
    browser.sign_in("s-rea")
    assert house.roles("rea") == ("reviewer",)


# Prefect's server.


def test_prefects_server_lets_in_who_has_an_account_and_has_sessions_of_its_own(house, browser, idp):
    at_runs = house.at_runs()
    answer = at_runs.sign_in("s-max", "/runs")
    assert (answer.status_code, at_runs.who()) == (403, None)
    assert "max" not in house.directory.names()
    browser.sign_in("s-max")
    for name in (browser.cookie, at_runs.cookie):  # the session of one server is none at the other
        at_runs.client.cookies.set(name, browser.session, domain="127.0.0.1", path="/")
    assert at_runs.who() is None
    assert 'content="0;url=/runs"' in at_runs.sign_in("s-max", "/runs").text
    assert at_runs.open("/").json() == {"actor": "somebody", "seen": []}
    browser.client.cookies.update(at_runs.client.cookies)  # a browser has those of both, as ports share cookies
    assert (browser.who(), at_runs.who()) == ("max", "somebody")
    assert at_runs.send("/sign-out").status_code == 200
    assert at_runs.open("/").headers["location"] == "/sign-in?then=%2F"


def test_prefects_server_takes_no_role_that_mlflows_does_not_know_of(house, browser, idp):
    browser.sign_in("s-rea")
    idp.people["s-rea"]["groups"] = ["makers"]
    at_runs = house.at_runs()
    at_runs.sign_in("s-rea")
    assert at_runs.open("/").status_code == 403  # she has lost what she was, and is not yet what she becomes
    assert house.roles("rea") == ("reviewer",)


def test_a_websocket_is_opened_by_a_session_from_a_page_of_the_server_alone(house, browser):
    browser.sign_in("s-max")
    at_runs = house.at_runs()
    at_runs.sign_in("s-max")
    own = {"origin": house.url, "host": "127.0.0.1:5000", "cookie": f"{at_runs.cookie}={at_runs.session}"}
    with at_runs.client.websocket_connect("/api/events/out", headers=own) as socket:
        assert socket.receive_text() == "nothing"
    house.now[0] += 3_599
    with at_runs.client.websocket_connect("/api/events/out", headers=own):
        pass
    house.now[0] += 1
    assert at_runs.who() is None  # a page that is left open makes its websocket anew, and that is no use of it
    at_runs.sign_in("s-max")
    own["cookie"] = f"{at_runs.cookie}={at_runs.session}"
    for headers in (own | {"origin": "https://evil.example"}, own | {"cookie": f"{at_runs.cookie}=guessed"}):
        with pytest.raises(WebSocketDisconnect), at_runs.client.websocket_connect("/api/events/out", headers=headers):
            pass


# Passwords and tokens.


def test_passwords_of_people_do_not_count_beside_one_sign_on(house, browser):
    browser.sign_in("s-rea")
    house.store.update_user("rea", password="a-password-0123")
    assert house.program(auth=("rea", "a-password-0123")).status_code == 401
    assert house.program(auth=("tidewaiter", one_sign_on.SERVICE_PASSWORD)).json()["account"] == "tidewaiter"


def test_the_local_administrator_comes_in_while_the_provider_is_away_and_that_is_noted(house, browser, idp):
    idp.is_away = True
    said = browser.open("/sign-in")
    assert said.status_code == 503
    assert "/local-sign-in" in said.text
    asked = browser.open("/local-sign-in")
    assert (asked.status_code, asked.headers["www-authenticate"]) == (401, 'Basic realm="mlflow"')
    for _ in range(3):
        given = house.program(auth=("admin", one_sign_on.ADMINISTRATOR_PASSWORD))
        assert given.json()["account"] == "admin"
    assert house.past == ["admin signed in at MLflow by a password, past the identity provider, from testclient"]
    (noted,) = house.notes
    assert (noted.actor, noted.address, "past the identity provider" in noted.reason) == ("admin", "testclient", True)
    house.now[0] += 3_600
    house.program(auth=("admin", one_sign_on.ADMINISTRATOR_PASSWORD))
    assert len(house.past) == 2
    house.now[0] += 3_600
    assert house.program(auth=("admin", "guessed")).status_code == 401
    assert len(house.past) == 2


def made(browser, name="laptop", days="30"):
    """A new token of whoever is signed in."""
    text = browser.send("/account/tokens", do="new", name=name, days=days).text
    return text.partition('role="status"><code>')[2].partition("<")[0]


def test_a_personal_token_stands_for_its_person_with_todays_roles(house, browser, idp):
    browser.sign_in("s-max")
    token = made(browser)
    assert token.startswith("twp_")
    for given in ({"auth": ("max", token)}, {"headers": {"authorization": f"Bearer {token}"}}):
        assert house.program(**given).json() == {"account": "max", "seen": []}
    assert house.program(auth=("rea", token)).status_code == 401
    assert token not in (house.folder / "accounts.db").read_bytes().decode("latin-1")
    assert token not in browser.open("/account").text
    house.open_version("max")
    signing = house.browser().client.post("/signoff", auth=("max", token))
    assert signing.json()["refusal"] == "max made version 1, and so may not sign it"


def test_a_token_makes_no_other_token(house, browser):
    browser.sign_in("s-max")
    token = made(browser)
    ask = house.browser().client.post
    body = {"do": "new", "name": "another", "days": 90}
    answer = ask("/api/2.0/tidewaiter/account/tokens", json=body, auth=("max", token))
    assert (answer.status_code, len(house.tokens.of("max"))) == (403, 1)


@pytest.mark.parametrize(
    "end", ["revoked", "account gone", "account made again", "password changed", "not confirmed for long"]
)
def test_a_token_that_does_not_count_lets_nobody_in(house, browser, end):
    browser.sign_in("s-max")
    token = made(browser)
    if end == "revoked":
        browser.send("/account/tokens", do="revoke", name="laptop")
    elif end == "password changed":
        house.store.update_user("max", password="a-password-0123")
    elif end.startswith("account"):
        house.store.delete_user("max")
        if end == "account made again":
            house.store.create_user("max", "a-password-0123")
    else:
        from datetime import UTC, datetime, timedelta

        from models.access import Identity

        long_ago = datetime.now(UTC) - timedelta(days=7, seconds=1)
        house.identities.confirm(Identity(house.idp.issuer, "s-max"), long_ago)
    assert house.program(auth=("max", token)).status_code == 401
    assert house.program(headers={"authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize("token", ["twp_", "twp_" + "A" * 43, "twp_\udcff", "tw_" + "A" * 43, "twp_' OR 1=1 --"])
def test_a_guessed_token_lets_nobody_in(house, browser, token):
    browser.sign_in("s-max")
    made(browser)
    raw = [(b"authorization", b"Bearer " + token.encode("utf-8", "surrogateescape")), (b"user-agent", b"python")]
    assert house.browser().client.get("/api/2.0/mlflow/runs/get", headers=raw).status_code == 401


def test_nobody_sees_or_revokes_the_token_of_another(house, browser):
    browser.sign_in("s-max")
    token = made(browser)
    other = house.browser()
    other.sign_in("s-rea")
    assert other.client.get("/api/2.0/tidewaiter/account/tokens").json() == {"tokens": []}
    assert other.send("/account/tokens", do="revoke", name="laptop").status_code == 400
    assert house.program(auth=("max", token)).status_code == 200

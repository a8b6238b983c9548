"""The door of a server: pages, passwords and bodies."""

import asyncio
import time
from base64 import b64encode
from threading import Event

import pytest
from starlette.datastructures import Headers

from models.access import entrance as module
from models.access.call import Refused
from models.access.directory import Account
from models.access.entrance import BODIES_AT_ONCE, WRONG_IN_A_ROW, Entrance, Names, parts, refuse_length, whole

OWN = "127.0.0.1:5000"
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}


class People:
    """A directory of one person, which counts how often a password is looked at."""

    def __init__(self):
        self.asked, self.remembered = 0, set()

    def is_remembered(self, name, password):
        return (name, password) in self.remembered

    def account(self, name, password):
        self.asked += 1
        if (name, password) != ("rea", "right"):
            return None
        self.remembered.add((name, password))
        return Account("rea")


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def told():
    return []


@pytest.fixture
def entrance(clock, told):
    names = Names(("https://customs.example", "http://tidewaiter:5000"))
    return Entrance(People(), names, lambda *given: told.append(given), lambda: clock[0])


def asked(entrance, method="POST", is_changing=True, host=OWN, **headers):
    """Why a request is refused, None where it is let in."""
    given = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    try:
        entrance.refuse_foreign(method, Headers(given), is_changing)
    except Refused as refused:
        return str(refused)
    return None


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"origin": f"http://{OWN}"},
        {"origin": "http://localhost:6000", "host": "localhost:6000"},  # through a tunnel from another port
        {"origin": "http://[::1]:5000", "host": "[::1]:5000"},
        {"origin": "https://customs.example", "host": "customs.example"},
        {"origin": "https://customs.example", "host": "customs.example:443"},
        {"origin": "HTTPS://Customs.Example".lower(), "host": "Customs.Example"},
        {"origin": "http://tidewaiter:5000", "host": "tidewaiter:5000"},
        {"sec_fetch_site": "same-origin", "user_agent": "Mozilla/5.0"},
        {"sec_fetch_site": "none"},
        {"referer": f"http://{OWN}/network?x=1", "user_agent": "Mozilla/5.0"},
    ],
)
def test_the_servers_own_pages_and_programs_are_let_in(entrance, headers):
    assert asked(entrance, **headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:18099"},  # another page of the same host
        {"origin": "http://localhost:5000"},  # another name of the same host
        {"origin": "http://127.0.0.1"},
        {"origin": f"http://{OWN}.evil.example"},
        {"origin": f"http://{OWN}@evil.example"},
        {"origin": f"http://evil.example/{OWN}"},
        {"origin": "null"},
        {"origin": "file://"},
        {"origin": OWN},
        {"origin": "http://customs.example", "host": "customs.example"},  # without the encryption it is served with
        {"origin": "https://tidewaiter:5000", "host": "tidewaiter:5000"},
        {"origin": "https://evil.example", "sec_fetch_site": "same-origin"},  # Origin is asked first
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
        {"sec_fetch_site": "cross-site", "referer": f"http://{OWN}/"},
        {"referer": "http://127.0.0.1:18099/page"},
        {"referer": "about:blank"},
        BROWSER,  # a browser that says nothing, with the credentials that it keeps
    ],
)
def test_no_other_page_changes_anything(entrance, headers):
    assert asked(entrance, **headers).endswith("may change nothing here")


@pytest.mark.parametrize(
    "host", ["10.evil.example", "evil.example", "", "127.0.0.1:5000:1", "127.0.0.1@evil", "0.0.0.0"]
)
def test_a_host_that_is_not_the_servers_name_is_refused(entrance, host):
    assert asked(entrance, "GET", False, host=host) == f"Host {host!r} is not a name of this server"


def test_a_link_of_another_page_opens_a_page_and_nothing_that_leaves_a_trace(entrance):
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert asked(entrance, "GET", False, **link) is None
    assert asked(entrance, "GET", True, **link)
    assert asked(entrance, "POST", False, **link)
    assert asked(entrance, "GET", False, sec_fetch_site="cross-site", sec_fetch_mode="no-cors")
    assert asked(entrance, "GET", False, origin="http://evil.example")
    assert asked(entrance, "GET", False, referer="http://evil.example/") is None
    assert asked(entrance, "GET", False, **BROWSER) is None


@pytest.mark.parametrize("name", ["host", "origin", "sec-fetch-site", "referer"])
def test_a_header_that_is_there_twice_says_nothing(entrance, name):
    raw = [(b"host", OWN.encode()), *[(name.encode(), b"http://127.0.0.1:5000")] * 2]
    with pytest.raises(Refused, match=f"{name} is there [23] times"):
        entrance.refuse_foreign("POST", Headers(raw=raw), True)


def sign_in(entrance, name="rea", password="right"):
    """The status with which a sign-in is refused, or who it is."""
    try:
        return entrance.account_by(name, password, "10.1.1.1").name
    except Refused as refused:
        return refused.status


def test_wrong_passwords_make_a_name_wait_longer_and_longer_and_are_told(entrance, clock, told):
    assert [sign_in(entrance, password="wrong") for _ in range(WRONG_IN_A_ROW)] == [401] * WRONG_IN_A_ROW
    assert told == [("rea", "10.1.1.1", WRONG_IN_A_ROW)]
    looked_at = entrance.directory.asked
    assert sign_in(entrance) == 429  # the right one too, and without a look at it
    assert entrance.directory.asked == looked_at
    clock[0] += 1.1
    assert sign_in(entrance, password="wrong") == 401
    clock[0] += 1.1
    assert sign_in(entrance) == 429
    clock[0] += 1.0
    assert sign_in(entrance) == "rea"
    assert sign_in(entrance, password="wrong") == 401  # and the count begins anew
    assert sign_in(entrance) == "rea"


def test_the_wait_has_an_end(entrance, clock):
    for _ in range(40):
        sign_in(entrance, password="wrong")
        clock[0] += module.LONGEST_WAIT_S
    clock[0] += 0.1
    assert sign_in(entrance) == "rea"


def test_who_signed_in_before_is_let_in_while_somebody_guesses(entrance):
    assert sign_in(entrance) == "rea"
    for _ in range(WRONG_IN_A_ROW):
        sign_in(entrance, password="wrong")
    assert sign_in(entrance) == "rea"
    assert sign_in(entrance, "ann", "wrong") == 401  # and other names do not wait


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["Basic eDp5"],
        ["Bearer x"],
        ["Basic !"],
        ["Basic cmVhOg=="],
        ["Basic cmVhOnJpZ2h0", "Basic cmVhOnJpZ2h0"],
        ["Digest username=rea"],
    ],
)
def test_without_one_account_nobody_is_told(entrance, given):
    headers = Headers(raw=[(b"authorization", value.encode()) for value in given])
    with pytest.raises(Refused) as refused:
        asyncio.run(entrance.signed_in(headers, "10.1.1.1"))
    assert refused.value.status == 401
    right = Headers({"authorization": "Basic cmVhOnJpZ2h0"})
    assert asyncio.run(entrance.signed_in(right, "10.1.1.1")) == Account("rea")


def received(*messages, pause_s=0.0):
    """What a server hands on of a request."""
    waiting = list(messages)

    async def receive():
        await asyncio.sleep(pause_s)
        return waiting.pop(0)

    return receive


def part(body, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_is_taken_in_whole():
    assert asyncio.run(whole(received(part(b"ab", True), part(b"c")), 3)) == b"abc"


@pytest.mark.parametrize(
    ("messages", "pause_s", "status"),
    [
        ([part(b"ab", True), part(b"cd")], 0, 413),
        ([part(b"ab", True), {"type": "http.disconnect"}], 0, 400),
        ([part(b"a", True)] * 40, 0.05, 408),
    ],
)
def test_a_body_too_large_too_slow_or_broken_off_is_refused(messages, pause_s, status):
    with pytest.raises(Refused) as refused:
        asyncio.run(whole(received(*messages, pause_s=pause_s), 3, seconds=0.06))
    assert refused.value.status == status


def test_what_a_request_says_of_its_length_is_believed_before_it_is_read():
    refuse_length(Headers({"content-length": "10"}), 10)
    refuse_length(Headers({}), 10)
    for stated in ("11", "-1", "1e1", "٣", "9" * 30):
        with pytest.raises(Refused):
            refuse_length(Headers(raw=[(b"content-length", stated.encode("utf-8"))]), 10)


def test_an_account_has_so_many_unfinished_bodies_and_no_more(entrance):
    async def run():
        account, other, inside = Account("rea"), Account("rob"), []
        for _ in range(BODIES_AT_ONCE):
            inside.append(entrance.taking_in(account))
            await inside[-1].__aenter__()
        with pytest.raises(Refused, match="unfinished"):
            await entrance.taking_in(account).__aenter__()
        async with entrance.taking_in(other):
            pass
        await inside.pop().__aexit__(None, None, None)
        async with entrance.taking_in(account):
            pass

    asyncio.run(run())


def test_parts_come_as_they_are():
    async def run():
        return [each async for each in parts(received(part(b"a", True), part(b"b")))]

    assert asyncio.run(run()) == [b"a", b"b"]


def test_wrong_passwords_that_come_at_once_count_like_those_that_come_one_by_one(entrance):
    """All of them have come before the first of them is known to be wrong."""
    entrance.directory.account = lambda name, password: time.sleep(0.02)

    async def guess(number):
        try:
            await entrance.signed_in_as("rea", f"guess {number}", "10.1.1.1")
        except Refused as refused:
            return refused.status

    async def all_at_once():
        return await asyncio.gather(*(guess(number) for number in range(3 * WRONG_IN_A_ROW)))

    answers = asyncio.run(all_at_once())
    assert answers.count(401) <= WRONG_IN_A_ROW + 1
    assert answers.count(429) == len(answers) - answers.count(401)


def test_who_has_signed_in_does_not_wait_for_names_that_are_made_up(entrance):
    entrance.account_by("rea", "right", "10.1.1.1")
    release = Event()
    looked_at = entrance.directory.account
    entrance.directory.account = lambda *given: looked_at(*given) if given == ("rea", "right") else release.wait(30)

    def headers(name, password):
        return Headers({"authorization": "Basic " + b64encode(f"{name}:{password}".encode()).decode()})

    async def asked():
        newcomers = [
            asyncio.create_task(entrance.signed_in(headers(f"nobody{number}", "x"), "10.1.1.1")) for number in range(60)
        ]
        await asyncio.sleep(0.1)
        known = await asyncio.wait_for(entrance.signed_in(headers("rea", "right"), "10.1.1.1"), 10)
        for task in newcomers:
            task.cancel()
        release.set()
        await asyncio.gather(*newcomers, return_exceptions=True)
        return known

    assert asyncio.run(asked()) == Account("rea")


def test_a_referer_that_is_no_address_is_no_page_of_this_server(entrance):
    assert asked(entrance, referer="http://[x") == "a page of 'nowhere' may change nothing here"

"""Messages over HTTP to a server of this process."""

import pytest

from models.notices import sending
from tests.support.receiver import receiving


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


def test_a_message_arrives_as_it_is_with_its_key_and_without_pictures(receiver):
    text = "Case 7 & <b>more</b>\nhttps://own.example/desk/cases/7"
    assert sending.send(receiver.url, "Tidewaiter: x", text, "0a1b") is None
    ((message,), (key,)) = receiver.messages, receiver.keys
    assert (message["title"], message["message"], key) == ("Tidewaiter: x", text, "0a1b")
    assert "http" not in str({name: value for name, value in message.items() if name != "message"})


def test_a_channel_of_html_gets_it_escaped(receiver):
    assert sending.send(f"{receiver.url}?format=html", "x", "<script> & [a](b)", "k") is None
    assert "<script>" not in receiver.messages[0]["message"]
    assert "&lt;script&gt;" in receiver.messages[0]["message"]


def test_a_receiver_that_refuses_or_is_away_is_told_without_the_address(receiver):
    receiver.status = 500
    url = f"{receiver.url}hooks/verysecret"
    refused = sending.send(url, "x", "y", "k")
    assert refused
    assert "500" in refused
    away = sending.send("json://127.0.0.1:9/hooks/verysecret", "x", "y", "k")
    assert away
    for why in (refused, away):
        assert "verysecret" not in why
        assert "127.0.0.1" not in why


def test_an_address_that_is_none_reaches_nobody():
    assert sending.send("slack://x", "x", "y", "k") == "Apprise cannot read the address"

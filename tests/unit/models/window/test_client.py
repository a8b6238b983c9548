"""The small client: it asks again after what passes, and gives up on what does not."""

import httpx
import pytest

from models.window.client import LONGEST_WAIT_S, Client, Unanswered

DECLARED = {"declaration_id": "D1", "items": [{"item_number": 1}]}
ANSWER = {"decisions": [{"decision_id": "d"}], "refused": []}


def asked(*answers, patience_s=300.0):
    """Return what a client is told by a window that answers so, what it sent, and how long it waited each time."""
    left, sent, waits = list(answers), [], []

    def answer(request):
        sent.append((request.headers["authorization"], request.content))
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return httpx.Response(given, json=ANSWER)

    client = Client("http://window", "tw_x", patience_s, httpx.MockTransport(answer), waits.append)
    return client.declare(DECLARED), sent, waits


def test_what_passes_is_asked_again_with_the_same_content_after_longer_waits():
    told, sent, waits = asked(503, httpx.ReadTimeout("late"), httpx.ConnectError("away"), 429, 200)
    assert told == ANSWER
    assert waits == [1.0, 2.0, 4.0, 8.0]
    assert len(set(sent)) == 1
    assert sent[0][0] == "Bearer tw_x"


def test_what_is_refused_of_the_declaration_is_an_answer():
    told, _, waits = asked(422)
    assert (told, waits) == (ANSWER, [])


@pytest.mark.parametrize("status", [400, 401, 413, 415])
def test_what_does_not_pass_is_not_asked_again(status):
    with pytest.raises(Unanswered, match=f"the window answers {status}"):
        asked(status)


def test_it_gives_up_when_its_patience_ends_and_waits_no_longer_than_a_minute():
    with pytest.raises(Unanswered, match="the window answers 503"):
        asked(503, 503, 503, patience_s=0.5)
    _, _, waits = asked(*[503] * 9, 200, patience_s=10_000)
    assert max(waits) == LONGEST_WAIT_S

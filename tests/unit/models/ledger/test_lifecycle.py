"""The states that the book reaches are those that the diagram shows, and the page shows the diagram."""

import copy
from itertools import product
from pathlib import Path

from models.ledger.book import SERVER
from models.ledger.lifecycle import TRANSITIONS, Event, State, diagram
from tests.support.signing import AUTHOR, EVENTS, POLICY, ROLES, book_of, entry, on, opening, promotion, signing

VERSIONS = (1, 2)
# At each moment of these lives, everything is tried.
LIVES = (
    [*promotion(1), *promotion(2), entry("roll back", "bob", 1)],
    [opening(), entry("approve", "ann", step="technical"), *signing(day=20)[1:], signing(day=31)[0]],
    [opening(), *signing()[:2], *signing(day=31)],
    [opening(), entry("reject", "ann", step="technical")],
    [opening(), entry("withdraw", AUTHOR, step="technical")],
    [opening(), entry("void", SERVER, digest="other")],
)


def attempts(day):
    for version in VERSIONS:
        yield opening(version, day)
        for action, actor, step in product(EVENTS, ROLES, POLICY.steps):
            for digest in ({}, {"digest": "other"}):
                if action != "open":
                    yield entry(action, actor, version, step.name, day, **digest)


def observed():
    """Every change of a version's state, with what brought it; and what an event about it left as it was."""
    seen = set()
    for life in LIVES:
        for length in range(len(life) + 1):
            book = book_of(*life[:length])
            last = max((each.at for each in life[:length]), default=on(0))
            for days in (0, 20, 31):
                day = (last - on(0)).days + days
                for version in VERSIONS:
                    before, after = book.state(version, last), book.state(version, on(day))
                    if before is not after:
                        seen.add((before, Event.EXPIRE, after))
                for each in attempts(day):
                    if book.refusal(each) is None:
                        changed = copy.deepcopy(book)
                        changed.apply(each)
                        seen |= differences(book, changed, each)
    return seen


def differences(before, after, attempt):
    states = {version: (before.state(version, attempt.at), after.state(version, attempt.at)) for version in VERSIONS}
    of_others = {
        (old, Event.SUPERSEDE, new)
        for version, (old, new) in states.items()
        if version != attempt.version and old is not new
    }
    old, new = states[attempt.version]
    return {(old, EVENTS[attempt.action], new), *of_others}


def test_the_book_goes_exactly_the_ways_of_the_diagram():
    allowed = {(state, event, target) for (state, event), targets in TRANSITIONS.items() for target in targets}
    assert observed() == allowed


def test_rejected_is_left_only_by_altered_evidence_and_void_never():
    assert {event for state, event in TRANSITIONS if state is State.REJECTED} == {Event.TAMPER}
    assert not [event for state, event in TRANSITIONS if state is State.VOID]


def test_one_becomes_champion_only_from_approved_or_by_a_rollback():
    ways = {(state, event) for (state, event), targets in TRANSITIONS.items() if State.CHAMPION in targets}
    assert ways == {(State.APPROVED, Event.PROMOTE), (State.SUPERSEDED, Event.ROLL_BACK)}


def test_the_diagram_names_every_state_and_event():
    text = diagram()
    assert text.startswith("stateDiagram-v2\n    [*] --> candidate: registered\n")
    assert all(f"    {state} --> " in text for state in State)
    assert all(f": {event}\n" in text for event in Event)
    assert "    void --> [*]\n" in text


def test_the_reviewers_page_has_the_diagram():
    page = (Path(__file__).parents[4] / "docs" / "reviewer.md").read_text()
    assert f"```mermaid\n{diagram()}```\n" in page

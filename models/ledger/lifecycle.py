"""The life of a model version, written down once: its states and what leads from one to another.

docs/reviewer.md shows the diagram that `diagram` makes; book.py decides which event happens when.

>>> State.CHAMPION in TRANSITIONS[State.APPROVED, Event.PROMOTE]
True
>>> (State.REJECTED, Event.APPROVE) in TRANSITIONS
False
"""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """The state of a version. `awaiting` is followed by the name of the step that it waits for."""

    CANDIDATE = "candidate"
    AWAITING = "awaiting"
    APPROVED = "approved"
    CHAMPION = "champion"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    VOID = "void"


class Event(StrEnum):
    """An event that moves a version from one state to another."""

    OPEN = "evidence verified"
    APPROVE = "approve"
    REJECT = "reject"
    REVOKE = "revoke"
    WITHDRAW = "its author withdraws it"
    EXPIRE = "a signature runs out"
    PROMOTE = "promote"
    SUPERSEDE = "another takes over"
    ROLL_BACK = "roll back"
    TAMPER = "evidence altered"


_S, _E = State, Event
_OPENED = (_S.AWAITING, _S.EXPIRED, _S.APPROVED, _S.CHAMPION, _S.SUPERSEDED, _S.REJECTED, _S.WITHDRAWN)

TRANSITIONS: Mapping[tuple[State, Event], frozenset[State]] = {
    (_S.CANDIDATE, _E.OPEN): frozenset({_S.AWAITING}),
    (_S.AWAITING, _E.APPROVE): frozenset({_S.AWAITING, _S.APPROVED}),
    (_S.EXPIRED, _E.APPROVE): frozenset({_S.AWAITING, _S.APPROVED}),
    (_S.AWAITING, _E.REVOKE): frozenset({_S.AWAITING}),
    (_S.EXPIRED, _E.REVOKE): frozenset({_S.EXPIRED}),
    (_S.APPROVED, _E.REVOKE): frozenset({_S.AWAITING}),
    **{(state, _E.REJECT): frozenset({_S.REJECTED}) for state in (_S.AWAITING, _S.EXPIRED, _S.APPROVED)},
    **{(state, _E.WITHDRAW): frozenset({_S.WITHDRAWN}) for state in (_S.AWAITING, _S.EXPIRED, _S.APPROVED)},
    **{(state, _E.EXPIRE): frozenset({_S.EXPIRED}) for state in (_S.AWAITING, _S.APPROVED)},
    (_S.APPROVED, _E.PROMOTE): frozenset({_S.CHAMPION}),
    (_S.CHAMPION, _E.SUPERSEDE): frozenset({_S.SUPERSEDED}),
    (_S.SUPERSEDED, _E.ROLL_BACK): frozenset({_S.CHAMPION}),
    **{(state, _E.TAMPER): frozenset({_S.VOID}) for state in _OPENED},
}


def diagram() -> str:
    """Return the state machine as Mermaid text."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.CANDIDATE}: registered"]
    for (state, event), targets in TRANSITIONS.items():
        lines += [f"    {state} --> {target}: {event}" for target in sorted(targets)]
    ends = [state for state in State if not any(source is state for source, _ in TRANSITIONS)]
    return "\n".join([*lines, *(f"    {state} --> [*]" for state in ends)]) + "\n"

"""The callers of Prefect, and which kinds of request each may make.

The service has three principals here, so that each holds no more than it needs. `up` alone says what runs and where, by
a password that is new at each start and that no worker and no run is given. The account of worker and runs is the
second. MLflow's server, which tells one event, is the third. People have the accounts and roles that they have in
MLflow.
"""

from enum import Enum, auto
from typing import TYPE_CHECKING

from models.access import Refused, accounts
from models.names import SERVICE
from models.runs.routes import EVENTS, Kind, Route, Socket

if TYPE_CHECKING:  # each run asks these rules for a name, and does not need the database behind an account
    from models.access import Account


class Caller(Enum):
    """The kinds of caller."""

    UP = auto()
    SERVICE = auto()
    TELLER = auto()
    STARTER = auto()  # a person who may start, pause and cancel
    READER = auto()
    NOBODY = auto()  # an account without a role


_MAY: dict[Caller, frozenset[Kind]] = {
    Caller.UP: frozenset({Kind.PAGE, Kind.READ, Kind.WORK, Kind.DECISION, Kind.SETUP}),
    Caller.SERVICE: frozenset({Kind.PAGE, Kind.READ, Kind.WORK}),
    Caller.TELLER: frozenset(),
    Caller.STARTER: frozenset({Kind.PAGE, Kind.READ, Kind.DECISION}),
    Caller.READER: frozenset({Kind.PAGE, Kind.READ}),
    Caller.NOBODY: frozenset(),
}
_WHOSE = {
    Kind.WORK: "the worker's and the runs' to tell",
    Kind.SETUP: "said by `tidewaiter up` alone, from prefect.yaml and the settings",
    Kind.DECISION: f"for data scientists (role {accounts.DATA_SCIENTIST}) and administrators",
}
_SETS_STATES = "POST /api/flow_runs/{id}/set_state"


def caller(account: "Account") -> Caller:
    """Return the kind of caller that an account is which has proved its password."""
    own = {accounts.UP: Caller.UP, SERVICE: Caller.SERVICE, accounts.TELLER: Caller.TELLER}
    if account.name in own:
        return own[account.name]
    if account.is_administrator or any(role.name == accounts.DATA_SCIENTIST for role in account.roles):
        return Caller.STARTER
    return Caller.READER if account.roles else Caller.NOBODY


def refuse(who: Caller, name: str, route: Route) -> None:
    """Raise Refused if this caller may not make this kind of request."""
    if route.kind in _MAY[who]:
        return
    # A run sets its own state, which people also do, by other rules; MLflow's server tells its one event.
    if (who, route.name) in {(Caller.SERVICE, _SETS_STATES), (Caller.TELLER, EVENTS)}:
        return
    if who is Caller.NOBODY:
        raise Refused(f"{name} has no role here: ask the administrator for one")
    raise Refused(f"{route.name} is not for {name}: it is {_WHOSE.get(route.kind, 'for people and runs')}")


def may_connect(who: Caller, socket: Socket) -> bool:
    """Whether this caller may open a websocket for this use."""
    if socket is Socket.TELLING:
        return who in (Caller.UP, Caller.SERVICE)
    return socket is Socket.READING and Kind.READ in _MAY[who]

"""The sessions of people who have signed in at the identity provider, in the memory of one server.

They are nowhere else, so that no refresh token lies on a disk; a restart ends them, and the provider, which still knows
its people, lets them in again without a word.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from models.policy import SignOn
from models.single_sign_on.provider import Confirmed

MOST = 10  # of one account: whoever begins more loses the oldest


@dataclass(frozen=True)
class Ends:
    """Seconds after which a session ends (`longest_s`), ends if unused (`idle_s`), and is confirmed anew."""

    longest_s: float
    idle_s: float
    confirm_s: float

    @classmethod
    def of(cls, policy: SignOn) -> "Ends":
        """Return what the policy says."""
        return cls(policy.session_hours * 3600, policy.idle_minutes * 60, policy.confirm_minutes * 60)


@dataclass
class Session:
    """A session of an account with the roles that its groups give; moments are on the clock of `Sessions`.

    `lock` is held while the provider is asked again.
    """

    account: str
    roles: frozenset[str]
    confirmed: Confirmed
    begun_at: float
    used_at: float
    confirmed_at: float
    lock: Lock = field(default_factory=Lock, repr=False)


@dataclass
class Sessions:
    """All sessions of one server; `clock` counts seconds from any moment."""

    ends: Ends
    clock: Callable[[], float] = time.monotonic
    _found: dict[str, Session] = field(default_factory=dict, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def begin(self, account: str, roles: frozenset[str], confirmed: Confirmed) -> str:
        """Begin a session and return its id, which nobody else has and none had before."""
        now = self.clock()
        session = Session(account, roles, confirmed, now, now, now)
        identifier = secrets.token_urlsafe(32)
        with self._lock:
            self._found = {key: each for key, each in self._found.items() if self._goes_on(each)}
            own = [key for key, each in self._found.items() if each.account == account]
            for key in own[: max(0, len(own) + 1 - MOST)]:
                del self._found[key]
            self._found[_key(identifier)] = session
        return identifier

    def find(self, identifier: str, is_use: bool = True) -> Session | None:
        """Return the session with this id, which is used by that if `is_use`; None if there is none, or it is over."""
        with self._lock:
            session = self._found.get(_key(identifier))
            if session is None or not self._goes_on(session):
                self._found.pop(_key(identifier), None)
                return None
            if is_use:
                session.used_at = self.clock()
            return session

    def is_due(self, session: Session) -> bool:
        """Whether the provider must be asked again before the session goes on."""
        return self.clock() - session.confirmed_at >= self.ends.confirm_s

    def end(self, identifier: str) -> None:
        """End a session, if there is one with this id."""
        with self._lock:
            self._found.pop(_key(identifier), None)

    def _goes_on(self, session: Session) -> bool:
        now = self.clock()
        return now - session.begun_at < self.ends.longest_s and now - session.used_at < self.ends.idle_s


def _key(identifier: str) -> str:
    """Return the key of an id: looking one up takes a time that tells nothing of ids that are like it."""
    return hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()

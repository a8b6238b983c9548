"""Pages of our own beside MLflow's: the guard asks who comes, and what a page answers is the page's.

tests/unit/models/server/test_guard.py tests it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from models.access import Call, Refused

OWN = "tidewaiter"  # the part of the API that is ours


@dataclass(frozen=True)
class Page:
    """A page at /`prefix`, with its files below it and what it asks for below /api/2.0/tidewaiter/`prefix`.

    `answer` takes a call and its request, which is a GET, and raises Refused if there is no answer. `act` takes a
    form, or whatever else is sent to an address of the page by POST, with its body of at most `largest` bytes. The page
    is for accounts that have one of `roles`; where there are none, any role will do. `is_noted` says that what is
    opened below the page is written down, so that no link of another site may lead there.
    """

    prefix: str
    answer: Callable[[Call, Request], Response]
    act: Callable[[Call, Request, bytes], Response] | None = None
    roles: frozenset[str] = frozenset()
    largest: int = 64 * 1024
    is_noted: bool = True

    def has(self, name: str) -> bool:
        """Whether the name of a route (models/server/routes.py) is one of this page's.

        >>> desk = Page("desk", answer=lambda call, request: Response())
        >>> [desk.has(name) for name in ("desk", "desk/desk.js", "tidewaiter/desk/queue", "desks", "mlflow/desk")]
        [True, True, True, False, False]
        """
        return name == self.prefix or name.startswith((f"{self.prefix}/", f"{OWN}/{self.prefix}/"))

    def refuse_stranger(self, call: Call) -> None:
        """Raise Refused for an account whose roles do not let it see the page."""
        if not call.roles:
            raise Refused(f"{call.actor} has no role: /{self.prefix} is for those who have one")
        if self.roles and not self.roles.intersection(call.roles):
            raise Refused(f"/{self.prefix} is for {', '.join(sorted(self.roles))}, which {call.actor} is not")

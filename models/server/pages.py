"""Pages of our own beside MLflow's: the guard asks who comes, and what a page answers is the page's.

tests/unit/models/server/test_guard.py tests it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from models.access import Call, Refused

OWN = "tidewaiter"  # the part of the API that is ours


@dataclass(frozen=True)
class Page:
    """A page at /`prefix`, with its files below it and what it asks for below /api/2.0/tidewaiter/`prefix`.

    All of it is asked by GET. `answer` takes a call and its query, and raises Refused if there is no answer. It is for
    accounts that have one of `roles`; where there are none, any role will do.
    """

    prefix: str
    answer: Callable[[Call, Mapping[str, str]], Response]
    roles: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether the name of a route (models/server/routes.py) is one of this page's.

        >>> desk = Page("desk", answer=lambda call, query: Response())
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

"""The links of a trace as data: what each says, and whether it was found to hold."""

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

State = Literal["held", "broken", "not checked", "purged"]
HELD: State = "held"
BROKEN: State = "broken"
NOT_CHECKED: State = "not checked"
PURGED: State = "purged"


class Broken(Exception):
    """A link does not hold. The message says what is wrong."""


class NotChecked(Exception):
    """A link cannot be checked here. The message says why."""


class Purged(Exception):
    """What the link is about was purged by a rule. The message says by which and when."""


class Link(msgspec.Struct, frozen=True):
    """A statement about a decision. `about` is what it is about: an id, a digest, a version.

    `why` says what is wrong with a broken link, why one was not checked, or by which rule what it is about was purged;
    it is empty where the link holds.
    """

    name: str
    about: str
    says: str
    state: State = HELD
    why: str = ""


def judged(name: str, about: str, says: str, check: Callable[[], object]) -> Link:
    """Return the link that `check` judges: it raises Broken, NotChecked or Purged, or else the link holds.

    >>> def gone() -> None:
    ...     raise NotChecked("the file is on a disk that is not there")
    >>> judged("file", "a.csv", "The file is as it was.", gone).state
    'not checked'
    """
    try:
        check()
    except Broken as error:
        return Link(name, about, says, BROKEN, str(error))
    except NotChecked as error:
        return Link(name, about, says, NOT_CHECKED, str(error))
    except Purged as error:
        return Link(name, about, says, PURGED, str(error))
    return Link(name, about, says)


def verdict(links: Iterable[Link]) -> State:
    """Return "broken" if one link is, else "not checked" if one could not be, else "purged" if one was, else "held".

    >>> fine, unknown = Link("a", "", "A."), Link("b", "", "B.", NOT_CHECKED, "it is away")
    >>> verdict([fine, fine]), verdict([unknown, fine]), verdict([unknown, Link("c", "", "C.", BROKEN, "altered")])
    ('held', 'not checked', 'broken')
    """
    found = {link.state for link in links}
    return next((state for state in (BROKEN, NOT_CHECKED, PURGED) if state in found), HELD)

"""Where officers work: cases in a queue, what is found in them, and what becomes of that.

Not here: how lanes are chosen (live, window, targeting), and the pages that show the desk (server).
"""

from models.desk.desk import Desk
from models.desk.following import Following
from models.desk.history import History, histories
from models.desk.night import Night
from models.desk.record import Case, Finding, Officer, Refused

__all__ = [
    "Case",
    "Desk",
    "Finding",
    "Following",
    "History",
    "Night",
    "Officer",
    "Refused",
    "exports",
    "histories",
    "interchange",
    "record",
    "standing",
]

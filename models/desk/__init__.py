"""Where officers work: cases in a queue, what is found in them, and what becomes of that.

Not here: how lanes are chosen (live, window, targeting), and the pages that show the desk (server).
"""

from models.desk.departures import LaneDepartures
from models.desk.desk import Desk
from models.desk.figures import LaneFigures
from models.desk.following import Following
from models.desk.history import History, histories
from models.desk.night import Night
from models.desk.record import Case, Finding, Officer, Refused
from models.desk.second_look import Agreement

__all__ = [
    "Agreement",
    "Case",
    "Desk",
    "Finding",
    "Following",
    "History",
    "LaneDepartures",
    "LaneFigures",
    "Night",
    "Officer",
    "Refused",
    "exports",
    "histories",
    "interchange",
    "record",
    "standing",
]

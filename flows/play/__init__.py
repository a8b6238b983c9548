"""Played days: the whole is tried out on simulated declarations, from the window to the next model.

Not here: how a world is simulated (features/simulator), and anything that real days need.
"""

from flows.play.books import Books, count_open
from flows.play.cast import OFFICERS, PEOPLE, SYSTEM, Cast, Unanswered
from flows.play.playing import Play, morning

__all__ = ["OFFICERS", "PEOPLE", "SYSTEM", "Books", "Cast", "Play", "Unanswered", "count_open", "morning"]

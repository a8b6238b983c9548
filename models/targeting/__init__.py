"""From scores to lanes within places, with exact probabilities, and what was chosen before.

Not here: scores (risk) and reasons for them (reasons).
"""

from models.targeting.backlog import Backlog
from models.targeting.selector import Exploring, Selector
from models.targeting.work_lists import work_list

__all__ = [
    "Backlog",
    "Exploring",
    "Selector",
    "exploration",
    "lanes",
    "selection_log",
    "work_list",
    "work_lists",
]

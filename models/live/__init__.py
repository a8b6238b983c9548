"""The core of the window: places of the day are given to declarations as they come, with exact probabilities.

Not here: scores (risk), the choice over a whole day (targeting), and all that has a clock, a database or a network.
"""

from models.live.placing import Placement, amend, place
from models.live.plan import Plan, plan_day
from models.live.state import State

__all__ = ["Placement", "Plan", "State", "amend", "chance", "forecast", "place", "placing", "plan_day", "state"]

"""The demo: a simulated house in a state folder of its own, which people can look around in minutes after a clone.

Not here: what its people and its worlds do (play), and the servers (host).
"""

from flows.demo.greeting import PEOPLE, welcome
from flows.demo.house import FOLDER, House, Made, move_in
from flows.demo.programs import run, up
from flows.demo.sights import successor, until_opened, waits

__all__ = ["FOLDER", "PEOPLE", "House", "Made", "move_in", "run", "successor", "until_opened", "up", "waits", "welcome"]

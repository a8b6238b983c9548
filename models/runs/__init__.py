"""Who may do what with runs: the rules of the guard in front of Prefect's API and pages, without Prefect.

Not here: accounts, and from which pages requests come (models/access/directory.py and entrance.py), and how the guard
and Prefect become one server (flows/prefect_app.py).
"""

from models.runs.rules import CATCH_UP, CHANGED, RESOURCE, Rules

__all__ = ["CATCH_UP", "CHANGED", "RESOURCE", "Rules", "guard"]

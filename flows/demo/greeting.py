"""What the demo says when it is ready: where it is, who its people are, and what to try first."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from models.network_page import address

PEOPLE = {"ana": "risk-analyst", "rea": "reviewer", "rob": "reviewer", "ola": "officer", "sue": "supervisor"}


def welcome(url: str, passwords: Mapping[str, str], source: str, company: str) -> str:
    """Return the text; `url` is MLflow's, which has all pages, and `company` is one that the network knows."""
    people = "\n".join(f"  {name:5} {role:14} {passwords[name]}" for name, role in PEOPLE.items())
    return f"""\
Ready: {url}
All of it is simulated: traders, goods, and what officers found. Nobody's data is here, and {urlsplit(url).hostname} is
this machine alone.

  name  role           password
{people}

What to try first
  1. Sign. As ana, open {url}/signoff, choose the version that waits, read its card, give a
     reason and press Sign. It comes into force once rea and rob, the reviewers, have signed too.
  2. Inspect. As ola, open {url}/desk and press 'Take the next case': say what you would find.
     What is found there is what the next model learns from. As sue, open {url}/desk/supervision.
  3. Look at who stands behind whom: {url}{address(source, company)}

A browser stays signed in until it is closed: give each person a private window.
Ctrl-C stops everything. `make demo` goes on from there; `make demo-clean` removes this world."""

"""Papers about a version for those outside: the EU's technical documentation, US inventory, UK record, a case study.

Each statement cites the files that say so, with their SHA-256. What nothing here has measured is said to be so, and
what only people can say is a blank until they have filled it in.

Not here: the documents of the evidence and the card (dossier), which people sign.
"""

from models.disclosure.answers import FILE, Answers
from models.disclosure.forms import NAMES, QUARTER
from models.disclosure.material import Material, Span, gather
from models.disclosure.paper import Paper, draw_up
from models.disclosure.writing import write

__all__ = ["FILE", "NAMES", "QUARTER", "Answers", "Material", "Paper", "Span", "draw_up", "gather", "write"]

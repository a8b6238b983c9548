"""The reviewer's screen: what waits, what changed against the champion, the reports, and the form to sign or refuse.

Not here: the rules of signatures (ledger) and the way in which one is given, which is that of a tag's edit (server).
"""

from models.signoff_page.page import PREFIX, SignoffPage
from models.signoff_page.versions import Versions

__all__ = ["PREFIX", "SignoffPage", "Versions"]

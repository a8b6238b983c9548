"""Messages from outside, in JSON, WCO XML and CUSDEC: turned into rows of the contract or refused, and answered in XML.

Not here: which declarations are taken, selected or kept, and how a message arrives.
"""

from features.messages.judging import Read, Refusal
from features.messages.reader import KINDS, MOST_BYTES, read
from features.messages.tables import Tables

__all__ = ["KINDS", "MOST_BYTES", "Read", "Refusal", "Tables", "answers", "json_form", "read"]

"""Messages from outside, in JSON, WCO XML and CUSDEC: turned into rows of the contract or refused, and answered in XML.

Not here: which declarations are taken, selected or kept, and how a message arrives.
"""

from features.messages import answers, cusdec, json_form, wco
from features.messages.judging import Read, Refusal
from features.messages.reader import KINDS, read

__all__ = ["KINDS", "Read", "Refusal", "answers", "cusdec", "json_form", "read", "wco"]

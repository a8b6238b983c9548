"""How much of what is illicit an inspection finds, by second looks that knew nothing of the first.

Not here: how second looks come about (desk), and the loss that allows for what was missed (risk/missed.py).
"""

from models.detection.looks import LookLog
from models.detection.measuring import Detection, Part, measure, required

__all__ = ["Detection", "LookLog", "Part", "looks", "measure", "required", "shares"]

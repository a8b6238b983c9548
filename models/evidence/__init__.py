"""What people sign: the manifest of a version, the seal over everything stored with it, and what it was made from.

Not here: where it is stored (registry) and who signed (signoff).
"""

from models.evidence.made_from import NO_CHAMPION, Earlier, origin_digest
from models.evidence.manifest import Code, Manifest

__all__ = [
    "NO_CHAMPION",
    "Code",
    "Earlier",
    "Manifest",
    "manifest",
    "origin_digest",
    "seal",
]

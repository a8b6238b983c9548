"""What people sign: the manifest of a version, the seal over everything stored with it, and what it was made from.

Not here: where it is stored (registry) and who signed (signoff).
"""

from models.evidence.manifest import Manifest

__all__ = [
    "Manifest",
    "manifest",
    "origins",
    "seal",
]

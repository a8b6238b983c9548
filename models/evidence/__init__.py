"""What people sign: the manifest of a version and its code, the seal over all that is stored, and what it is made from.

Not here: where it is stored (registry) and who signed (signoff).
"""

from models.evidence.manifest import Manifest

__all__ = [
    "Manifest",
    "digests",
    "manifest",
    "origins",
    "seal",
    "source_code",
]

"""What is done with declarations and with the versions that learned from them: the layer that all callers share.

Flows, commands, pages and benchmarks call it, whatever runs them.

Not here: where things are (places), how each thing is computed (the rooms below), and when (flows).
"""

from models.workspace.workspace import Explained, Workspace, why_empty

__all__ = ["Explained", "Workspace", "feature_code", "incumbents", "why_empty"]

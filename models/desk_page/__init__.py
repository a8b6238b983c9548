"""The desk's pages, on which officers work and supervisors look: queue, case, findings, photos, also without a network.

Not here: what may be done with a case, and what is kept of it (desk).
"""

from models.desk_page.page import LARGEST, PREFIX, ROLES, DeskPage
from models.desk_page.panels import PANELS, About, Panel

__all__ = ["LARGEST", "PANELS", "PREFIX", "ROLES", "About", "DeskPage", "Panel"]

"""What our own pages on MLflow's server share: layout, style, three languages, and the forms that people send.

Each page brings its templates and its words, one TOML file a language, beside its code.

Not here: who may open a page (server), and what it tells (signoff_page).
"""

from models.site.forms import Form
from models.site.language import LANGUAGES, Words
from models.site.site import Site

__all__ = ["LANGUAGES", "Form", "Site", "Words"]

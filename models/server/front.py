"""MLflow's page as people find it here: it opens at the model, and hides what is no part of this product.

MLflow's page opens on language models, with an assistant, a notice of telemetry and a button that copies a version to
another model. None of that can be set on its server: its pages keep it in the browser, so the preferences are set there
before the pages start. Text typed into a tag is kept when it is refused, and on a telephone the menu leaves room for
the page: see front.js.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import HTMLResponse

from models.names import MODEL

_HEAD = "</head>"
_SCRIPT = Path(__file__).with_name("front.js").read_text()
_MODEL_PAGE = f"#/models/{MODEL}"

# MLflow's pages find these in the browser's storage, by the names that they look for.
PREFERENCES = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
    "mlflow.assistant.panelOpen_v1": False,
    "mlflow.telemetry.info.alert.dismissed_v1": True,
    "mlflow.settings.telemetry.enabled_v1": False,
}
# The style hides links to what the guard closes; shows the list of tags whole, as people sign the last ones; puts room
# between the columns of a card's tables, and its pictures side by side. On a telephone nothing is cut off: what is
# beside something else moves below it, and a wide table is pushed aside by itself.
_STYLE = """
aside [role="button"][tabindex="0"], [data-assistant-ui], [data-component-id$="assistant_button"],
.promote-model-btn-wrapper { display: none !important; }
.du-bois-light-table-body[style*="280px"], .du-bois-dark-table-body[style*="280px"] { max-height: none !important; }
.note-editor-preview-content :is(td, th) { padding: 1px 20px 1px 0; text-align: left; }
.note-editor-preview-content table { margin-bottom: 16px; }
.note-editor-preview-content img { width: 48%; min-width: 320px; margin: 4px 8px 4px 0; }
@media (max-width: 640px) {
.note-editor-preview-content :is(h1, h2, h3) { line-height: 1.2; }
.note-editor-preview-content :is(p, li, code) { overflow-wrap: anywhere; }
.note-editor-preview-content table { display: block; overflow-x: auto; }
.note-editor-preview-content :is(td, th) { padding-right: 10px; }
.note-editor-preview-content img { width: 100%; min-width: 0; }
div:has(> [data-testid="descriptions-item"]) { grid-template-columns: 1fr !important; }
.editable-table col:first-child { width: 138px !important; }
.editable-table col:nth-child(2) { width: 100px !important; }
}
"""

# No other page shows this one in a frame, where a click could be led to a signature; nothing of it comes from elsewhere
# or goes there, whatever people write into descriptions. MLflow's tables compile what they show; our addition is an
# inline script.
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; frame-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


@dataclass(frozen=True)
class Front:
    """MLflow's page, which is `index`; `is_registered` tells whether there is a model to open it at.

    Whoever has one of the roles of `landings` begins at the page of ours that stands there, the first that matches.
    """

    index: str
    is_registered: Callable[[], bool]
    landings: Mapping[str, str]

    @classmethod
    def of(cls, build: Path, is_registered: Callable[[], bool], landings: Mapping[str, str]) -> "Front":
        """Read MLflow's page from the folder with its built pages; ValueError if the page is not as expected."""
        index = (build / "index.html").read_text()
        if index.count(_HEAD) != 1:
            raise ValueError(f"{build / 'index.html'} has not one {_HEAD}: MLflow's page is another than is known here")
        return cls(index, is_registered, landings)

    def page(self, roles: Collection[str]) -> HTMLResponse:
        """Return the page for an account with these roles.

        The browser asks for it anew each time, since it begins elsewhere once there is a model. Where the address says
        which of MLflow's pages is meant, it is that one for everybody.
        """
        told = {name: json.dumps(value) for name, value in PREFERENCES.items()}
        own = next((page for role, page in self.landings.items() if role in roles), "")
        first = own or (_MODEL_PAGE if self.is_registered() else "")
        begin = f"if (!location.hash) location.replace({json.dumps(first)});" if first else ""
        script = (
            f"Object.entries({json.dumps(told)}).forEach(([name, value]) => localStorage.setItem(name, value));{begin}"
        )
        added = f"<style>{_STYLE}</style><script>{script}{_SCRIPT}</script>"
        return HTMLResponse(self.index.replace(_HEAD, added + _HEAD), headers=HEADERS)

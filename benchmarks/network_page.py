"""Milliseconds from asking for a company's page to its painted network of 500 nodes, in Chromium and a real server.

    python benchmarks/network_page.py

The page asks for fewer nodes by itself; here its question is rewritten on the way. Reloading keeps the browser's cache,
as for whoever comes back; the first opening has none. Needs chromium. Figures are of this machine and this moment.
"""

import tempfile
from pathlib import Path
from urllib.parse import urlencode

import measuring
import numpy as np
from playwright.sync_api import Route
from rich.console import Console

from tests import networks, signoff_server
from tests.browser import started

NODES, CROWD, OPENINGS = 500, 4_000, 10


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as name:
        folder = Path(name)
        networks.network(folder, CROWD)
        with signoff_server.server(folder) as server:
            signoff_server.add_people(server)
            query = urlencode({"source": "files", "company": "declarant:D-BUSY"})
            with started.browser_page("rea", signoff_server.password("rea")) as page:
                page.route("**/network/company?*", _ask_for_more)
                painted = []
                for _ in range(OPENINGS + 1):
                    page.goto(f"{server.url}/network?{query}")
                    graph = page.locator("#graph[data-painted]")
                    graph.wait_for()
                    painted.append(float(graph.get_attribute("data-painted") or "nan"))
                shown = page.evaluate("[window.network.cy.nodes().length, window.network.cy.edges().length]")
    first, *again = painted
    median, slowest = np.percentile(again, [50, 100]).tolist()
    Console().print(
        f"{shown[0]} nodes, {shown[1]} edges: first {first:,.0f} ms; {OPENINGS} times again: median {median:,.0f} ms, "
        f"slowest {slowest:,.0f} ms"
    )
    measuring.save("network-page", (), nodes=shown[0], edges=shown[1], first_ms=first, again_ms=again)


def _ask_for_more(route: Route) -> None:
    route.continue_(url=route.request.url.replace("limit=120", f"limit={NODES}"))


if __name__ == "__main__":
    main()

"""Milliseconds from asking for a company's page to its painted network of 500 nodes, in Chromium and a real server.

    python benchmarks/network_page.py

The page asks for fewer nodes by itself; here its question is rewritten. The first opening has nothing in the browser's
cache, the others have what whoever comes back has. Needs chromium. Figures are of this machine and this moment.
"""

import tempfile
from pathlib import Path
from urllib.parse import urlencode

import measuring
import numpy as np
from rich.console import Console

from tests import networks, signoff_server
from tests.browser import started

NODES, CROWD, OPENINGS = 500, 4_000, 10
# Not on the way to the server: whoever looks into a browser's requests takes its cache away.
_ASK_FOR_MORE = f"""
    const ask = window.fetch;
    window.fetch = (url, ...more) => ask(String(url).replace("limit=120", "limit={NODES}"), ...more);
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as name:
        folder = Path(name)
        networks.network(folder, CROWD)
        with signoff_server.server(folder) as server:
            signoff_server.add_people(server)
            query = urlencode({"source": "files", "company": "declarant:D-BUSY"})
            with started.browser_page("rea", signoff_server.password("rea")) as page:
                page.add_init_script(_ASK_FOR_MORE)
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


if __name__ == "__main__":
    main()

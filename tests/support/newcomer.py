"""What a newcomer does with the demo, in a browser of their own, knowing no more than its welcome says."""

import re

from playwright.sync_api import expect

from tests.browser import started


def sign(url: str, name: str, password: str, reason: str) -> None:
    """Sign in, choose the version that waits, read its card and sign it; AssertionError if the page does not say so."""
    with started.browser_page(name, password) as page:
        page.goto(f"{url}/signoff")
        waiting = page.locator("section").filter(has=page.get_by_role("heading", name="Waiting for you"))
        waiting.get_by_role("link", name=re.compile("^version")).first.click()
        expect(page.get_by_text("What is different")).to_be_visible()
        page.get_by_label("Reason").fill(reason)
        page.get_by_role("button", name="Sign", exact=True).click()
        expect(page.get_by_text(f"{name}, 20").first).to_contain_text(reason)


def take_a_case(url: str, name: str, password: str) -> None:
    """Sign in at the desk and take the next case."""
    with started.browser_page(name, password) as page:
        page.goto(f"{url}/desk")
        page.get_by_role("button", name="Take the next case").click()
        page.wait_for_url("**/desk/cases/*")


def look_at(address: str, name: str, password: str) -> None:
    """Sign in at a company of the network, and see what is around it."""
    with started.browser_page(name, password) as page:
        page.goto(address)
        page.locator("#graph[data-painted]").wait_for()

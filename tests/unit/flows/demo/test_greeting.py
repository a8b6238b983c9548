"""Whoever reads the welcome can sign in as each person, and finds each page."""

import re

from flows.demo import PEOPLE, welcome
from models import policy


def test_it_has_each_person_and_each_address() -> None:
    passwords = {name: f"secret-of-{name}" for name in PEOPLE}
    said = welcome("http://127.0.0.1:5000", passwords, "simulator", "0042")
    for name, role in PEOPLE.items():
        assert re.search(rf"^  {name} +{role} +{passwords[name]}$", said, re.MULTILINE)
    assert "All of it is simulated" in said
    addresses = re.findall(r"http\S+[\w/=]", said)
    assert all(address.startswith("http://127.0.0.1:5000") for address in addresses)
    assert any("0042" in address for address in addresses)


def test_its_people_are_enough_to_sign() -> None:
    for step in policy.load().signoff.steps:
        assert list(PEOPLE.values()).count(step.role) >= step.signatures

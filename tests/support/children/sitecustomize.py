"""What tests make cheaper in every Python that they start: garbage, hashes of passwords, and authorities of TLS.

Imports make millions of objects, and going through them takes a sixth of the time of tests, and a tenth of each start
of a server. So Python's collector looks at the youngest after 100,000 new ones, and at the older ones every 20 times;
the defaults are 700, 10, 10.

A hash of a password takes 60 ms by design, and so does each check of one. What a hash costs stands in it, so a cheap
one is checked like any other.

An HTTP client that takes nothing from the environment reads all authorities of certifi, for 12 ms. It reads those of
`SSL_CERT_FILE` here, which tests/support/authorities.py sets.

Python imports this module by its name whenever it begins, if it is on the path.
"""

import gc
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

METHOD, SALT_LENGTH = "scrypt:256:8:1", 16

gc.set_threshold(100_000, 20, 20)


def make_hashes_cheap(werkzeug_security: ModuleType) -> None:
    werkzeug_security.generate_password_hash.__defaults__ = (METHOD, SALT_LENGTH)


def trust_few(certifi: ModuleType) -> None:
    everybody = certifi.where
    certifi.where = lambda: os.environ.get("SSL_CERT_FILE") or everybody()


CHANGES = {"werkzeug.security": make_hashes_cheap, "certifi": trust_few}


class Changing:
    """Finds the modules of `CHANGES` as Python does, and has each changed as soon as it is imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path, target) if name in CHANGES else None
        if found is not None and found.loader is not None:
            execute = found.loader.exec_module

            def executed(module: ModuleType) -> None:
                execute(module)
                CHANGES[name](module)

            found.loader.exec_module = executed
        return found


sys.meta_path.insert(0, Changing())

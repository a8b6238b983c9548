"""What tests make cheaper in every Python that they start: the collector of garbage, and new hashes of passwords.

Imports make millions of objects, and going through them takes a sixth of the time of tests, and a tenth of each start
of a server. So Python's collector looks at the youngest after 100,000 new ones, and at the older ones every 20 times;
the defaults are 700, 10, 10.

A hash of a password takes 60 ms by design, and tests make and check some thousand. What a hash costs stands in it, so
a cheap one is checked like any other.

Python imports this module by its name whenever it begins, if it is on the path.
"""

import gc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

METHOD, SALT_LENGTH = "scrypt:256:8:1", 16

gc.set_threshold(100_000, 20, 20)


class CheapHashes:
    """Finds the module that makes hashes, and changes what one costs by default as soon as that is imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "werkzeug.security":
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is not None and found.loader is not None:
            execute = found.loader.exec_module

            def executed(module: ModuleType) -> None:
                execute(module)
                module.generate_password_hash.__defaults__ = (METHOD, SALT_LENGTH)

            found.loader.exec_module = executed
        return found


sys.meta_path.insert(0, CheapHashes())

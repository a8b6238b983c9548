"""After how many new objects Python's collector looks at the youngest, and how often at the older ones, in tests.

Imports make millions of objects, and going through them takes a sixth of the time of tests, and a tenth of each start
of a server. The defaults are 700, 10, 10. Python imports this module by its name whenever it begins, if it is on the
path.
"""

import gc

gc.set_threshold(100_000, 20, 20)

"""These modules are on the path of every Python that tests start."""

"""Figures of a whole installation for Prometheus: nights, data, drift, sign-off, cases and disk, by `tidewaiter up`.

They are read every half minute beside requests, so that who asks waits for nothing. Not here: the figures of the
window's answers, which its own process has (models/window/measured.py).
"""

__all__ = ["app"]

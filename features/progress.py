"""How long work tells whoever waits for it how far it has come."""

from collections.abc import Callable

Progress = Callable[[int, int], None]  # called with how much is done, and how much there is to do

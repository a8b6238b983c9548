"""The network of companies for people to look at: it is written to files, and tells what is at a node and around it."""

__all__ = ["build", "neighbourhood", "queries"]

"""The documents of a version, typed, how their figures come about, and the card that is rendered from them.

Not here: digests of them (evidence).
"""

"""Steps that several flows share: which models are there already, reports, and the summary of a run.

Not here: flows.
"""

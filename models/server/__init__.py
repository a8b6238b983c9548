"""The guard around MLflow's server: its routes, the rules for requests that write, and the judging of evidence.

Not here: the rules of sign-off themselves (signoff).
"""

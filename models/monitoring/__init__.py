"""Whether today is still like the days that the model learned from.

Not here: when this is looked at, and who is told (flows).
"""

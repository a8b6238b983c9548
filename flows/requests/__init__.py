"""What a run is asked for, and by whom: parameters, their form in the page, authors, folders that may be named.

Not here: running it.
"""

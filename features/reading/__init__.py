"""Input files as tables of text: kinds of files, CSV dialects, types of columns, and expressions over columns.

Not here: which files there are (sources) and whether what they say can be true (validation).
"""

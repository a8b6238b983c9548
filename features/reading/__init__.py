"""Files of the world as tables of text: what a file is, its dialect, its columns' types, expressions over them.

Not here: which files there are (sources) and whether what they say can be true (validation).
"""

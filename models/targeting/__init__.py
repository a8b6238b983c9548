"""From scores to lanes within places, with exact probabilities, and what was chosen before.

Not here: scores (risk) and reasons for them (reasons).
"""

"""The model that predicts, and all that serving loads: encoder, boosted trees, calibration, revenue, critical goods.

Not here: how it is trained (training).
"""

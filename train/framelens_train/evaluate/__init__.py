"""Evaluation that cannot be fooled by learning an outlet: protocols, intervals, calibration, report and
card.
"""

"""Fairness: do groups of people get the same treatment from the model?"""

from trustcheck.probe import pillar

__getattr__, __dir__ = pillar(__name__)

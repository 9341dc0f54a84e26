"""Robustness: does the answer hold when the inputs are noisy, broken or hostile?"""

from trustcheck.probe import pillar

__getattr__, __dir__ = pillar(__name__)

"""Reliability: is the model right, calibrated and consistent?"""

from trustcheck.probe import pillar

__getattr__, __dir__ = pillar(__name__)

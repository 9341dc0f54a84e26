"""Drift: is the data still what the model was trained on?"""

from trustcheck.probe import pillar

__getattr__, __dir__ = pillar(__name__)

"""Accountability: can what was run, decided and overseen be traced?"""

from trustcheck.probe import pillar

__getattr__, __dir__ = pillar(__name__)

"""Explainability: do explanations say what the model really uses?"""

from trustcheck.probe import pillar

__getattr__, __dir__ = pillar(__name__)

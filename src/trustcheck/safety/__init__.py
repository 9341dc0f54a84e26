"""Safety: where does the model fail, and does it fail safely?"""

from trustcheck.probe import pillar

__getattr__, __dir__ = pillar(__name__)

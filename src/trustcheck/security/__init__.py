"""Security: can the model be stolen, poisoned or tampered with?"""

from trustcheck.probe import pillar

__getattr__, __dir__ = pillar(__name__)

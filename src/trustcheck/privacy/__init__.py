"""Privacy: does the model, or the data, give people away?"""

from trustcheck.probe import pillar

__getattr__, __dir__ = pillar(__name__)

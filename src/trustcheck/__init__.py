"""trustcheck tests whether a trained tabular model can be trusted, and proves it.

>>> import trustcheck as tc
>>> sorted(name for name in dir(tc) if name.startswith("Trust"))
['TrustError', 'TrustInconclusiveWarning', 'TrustPrivacyWarning']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trustcheck import (
        accountability,
        datasets,
        drift,
        explain,
        fairness,
        privacy,
        reliability,
        robustness,
        safety,
        security,
    )
    from trustcheck._compare import compare
    from trustcheck._evaluate import evaluate, plan
    from trustcheck._frozen import replay
    from trustcheck._what_if import what_if
    from trustcheck.monitor import Monitor
    from trustcheck.store import open_store
    from trustcheck.subject import Context, Feature, Remote, Schema, Subject, col
    from trustcheck.types import (
        Estimate,
        Finding,
        InputError,
        Measurement,
        NotMeasurable,
        Profile,
        Report,
        Requirement,
        TrustError,
        TrustInconclusiveWarning,
        TrustPrivacyWarning,
        Verdict,
    )

__version__ = "0.1.0"

_ROOMS = (
    "accountability",
    "datasets",
    "drift",
    "explain",
    "fairness",
    "privacy",
    "reliability",
    "robustness",
    "safety",
    "security",
)
__all__ = [
    "Context",
    "Estimate",
    "Feature",
    "Finding",
    "InputError",
    "Measurement",
    "Monitor",
    "NotMeasurable",
    "Profile",
    "Remote",
    "Report",
    "Requirement",
    "Schema",
    "Subject",
    "TrustError",
    "TrustInconclusiveWarning",
    "TrustPrivacyWarning",
    "Verdict",
    "accountability",
    "col",
    "compare",
    "datasets",
    "drift",
    "evaluate",
    "explain",
    "fairness",
    "open_store",
    "plan",
    "privacy",
    "reliability",
    "replay",
    "robustness",
    "safety",
    "security",
    "what_if",
]
# Where each name lives; what is not listed is a noun of ``types``. All load on first use.
_HOMES = {
    "compare": "_compare",
    "evaluate": "_evaluate",
    "open_store": "store",
    "plan": "_evaluate",
    "replay": "_frozen",
    "Context": "subject",
    "Feature": "subject",
    "Monitor": "monitor",
    "Remote": "subject",
    "Schema": "subject",
    "Subject": "subject",
    "col": "subject",
    "what_if": "_what_if",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"trustcheck.{name}")
    if name in __all__:
        home = importlib.import_module(f"trustcheck.{_HOMES.get(name, 'types')}")
        return getattr(home, name)
    raise AttributeError(f"module 'trustcheck' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

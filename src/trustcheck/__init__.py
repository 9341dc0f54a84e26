"""trustcheck tests whether a trained tabular model can be trusted, and proves it.

>>> import trustcheck as tc
>>> sorted(name for name in dir(tc) if name.startswith("Trust"))
['TrustError', 'TrustInconclusiveWarning']
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
    from trustcheck._evaluate import evaluate
    from trustcheck.subject import Context, Feature, Schema, Subject
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
        Verdict,
    )

__version__ = "0.1.0"

# Each public name and the module it lives in, imported when it is first used.
_HOMES = {
    "evaluate": "trustcheck._evaluate",
    **dict.fromkeys(("Context", "Feature", "Schema", "Subject"), "trustcheck.subject"),
    **dict.fromkeys(
        (
            "Estimate",
            "Finding",
            "InputError",
            "Measurement",
            "NotMeasurable",
            "Profile",
            "Report",
            "Requirement",
            "TrustError",
            "TrustInconclusiveWarning",
            "Verdict",
        ),
        "trustcheck.types",
    ),
}
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

__all__ = [  # noqa: PLE0604 - the names above are the list
    *_HOMES,
    *_ROOMS,
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"trustcheck.{name}")
    raise AttributeError(f"module 'trustcheck' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_HOMES, *_ROOMS, "__version__"])

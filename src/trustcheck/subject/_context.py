"""What no table shows: costs, rules, documents, decisions, guards, claims, the artefact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Facts about a model's use that cannot be read off its data; all optional.

    Parameters
    ----------
    costs : object
        What each kind of error costs.
    decisions : object
        Log of what people did with the model's answers.
    documents : object
        Register of documents with owner, date and file.
    rules : object
        Behaviour the model has to show (monotone, bounded, implied).
    guard : callable
        The check that stands before the model in operation.
    claims : object
        What the documentation claims.
    artefact : path
        The file the model is deployed from.
    """

    costs: Any = None
    decisions: Any = None
    documents: Any = None
    rules: Any = None
    guard: Any = None
    claims: Any = None
    artefact: Any = None

    def offers(self) -> set[str]:
        """Names of what was given."""
        return {name for name in self.__slots__ if getattr(self, name) is not None}

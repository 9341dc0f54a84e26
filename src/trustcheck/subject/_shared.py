"""What several probes need, computed once, whichever of them asks first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Shared:
    """A memo that computes each entry once, also when several threads ask at the same time."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, tuple[threading.Lock, list[Any]]] = {}

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the entry of a key, computed by the first who asks."""
        lock, found = self._entries.setdefault(key, (threading.Lock(), []))
        with lock:
            if not found:
                found.append(compute())
            return cast("T", found[0])

    def __getstate__(self) -> dict[str, Any]:
        """Leave locks and entries behind when a worker process takes a copy."""
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin anew."""
        self._entries = {}

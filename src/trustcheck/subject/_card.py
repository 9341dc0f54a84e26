"""What a report says about its subject: names, shapes and hashes, never a row's values."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trustcheck.subject._side import Table
    from trustcheck.subject._subject import Subject


def card(subject: Subject, data: Table, reference: Table | None) -> dict[str, Any]:
    """Return the subject as plain data."""
    return {
        "name": subject.name,
        "model": subject.model_name,
        "task": subject.task,
        "rows": subject.n,
        "features": [
            {"name": str(f.name), "kind": f.kind, "immutable": f.immutable}
            for f in subject.schema.values()
        ],
        "classes": [str(label) for label in subject.classes],
        "positive": None if subject.positive is None else str(subject.positive),
        "sensitive": list(subject.sensitive),
        "weighted": subject.has_weights,
        "clustered": subject.has_clusters,
        "labelled": data.truth is not None,
        "reference_rows": None if reference is None else reference.n,
        "data_sha256": fingerprint(data),
        "reference_sha256": None if reference is None else fingerprint(reference),
    }


def fingerprint(table: Table) -> str:
    """Return a hash of a table's content that does not depend on the order of its rows."""
    columns = [] if table.frame is None else sorted(map(str, table.frame.columns))
    digest = hashlib.sha256(repr(columns).encode())
    digest.update(np.sort(table.keys).astype("<u8").tobytes())
    return digest.hexdigest()

"""A report as a frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trustcheck.report._view import entries, judged
from trustcheck.types import Report

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["key", "dimension", "status", "value", "low", "high", "limit", "verdict"]


def report_frame(report: Report) -> pd.DataFrame:
    """Return one row per finding; see :func:`trustcheck.report.report_frame`."""
    import pandas as pd

    rows = []
    for entry in entries(report):
        finding, verdict = entry.finding, entry.verdict
        if finding is None:
            continue
        got = judged(entry)
        limit = None if verdict is None else verdict.requirement.limit_text
        if got and limit and got[0] != finding.headline:
            limit = f"{got[0]} {limit}"
        rows.append(
            {
                "key": finding.key,
                "dimension": str(finding.dimension),
                "status": str(finding.status),
                "value": got[1].value if got else math.nan,
                "low": got[1].low if got else math.nan,
                "high": got[1].high if got else math.nan,
                "limit": limit or None,
                "verdict": None if verdict is None else str(verdict.status),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)

"""Conditions on one feature, as a person would put them: "education = HS-grad", "age 37 to 48"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.subject._schema import as_numbers

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Feature, Subject

_FIFTHS = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Condition:
    """A condition on one feature: its rows have ``code`` among the feature's codes."""

    feature: int
    codes: np.ndarray
    code: int
    spell: Callable[[int], str]

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Whether each of these rows fulfils it."""
        return np.asarray(self.codes[rows] == self.code)

    def text(self) -> str:
        """The condition in words that may be printed."""
        return self.spell(self.code)


def find_conditions(subject: Subject, seen: np.ndarray, least: int) -> list[Condition]:
    """Return the conditions that at least ``least`` of the rows ``seen`` fulfil, and as many do not.

    Levels of a category, bins between rounded fifths of the reference, and "is missing".
    """
    given, found = subject.X, []
    source = subject.reference.X if "reference" in subject.offers() else given
    for position, name in enumerate(given.columns):
        feature, column = subject.schema[str(name)], given[name]
        if feature.is_numeric:
            codes, spell = _bins(column, source[name], feature)
        else:
            codes, spell = _levels(subject, column, feature, least)
        for code in np.unique(codes[seen]):
            size = int((codes[seen] == code).sum())
            if code >= 0 and least <= size <= len(seen) - least:
                found.append(Condition(position, codes, int(code), spell))
    return found


def _levels(
    subject: Subject, column: pd.Series, feature: Feature, least: int
) -> tuple[np.ndarray, Callable[[int], str]]:
    """Codes of the levels, -1 for rare ones; free text is told apart from missing only."""
    import pandas as pd

    counts = [] if feature.kind == "text" else [*column.value_counts().items()]
    # Sorted, so that the order of rows changes nothing.
    counts.sort(key=lambda pair: (-int(pair[1]), str(pair[0]), str(type(pair[0]))))
    levels = [level for level, count in counts if count >= least]
    codes = pd.Index(levels, dtype=object).get_indexer(pd.Index(column, dtype=object))
    codes[column.isna().to_numpy()] = len(levels)

    def spell(code: int) -> str:
        if code == len(levels):
            return f"{feature.name} is missing"
        return f"{feature.name} = {subject.printable_level(feature.name, levels[code])}"

    return codes, spell


def _bins(
    column: pd.Series, source: pd.Series, feature: Feature
) -> tuple[np.ndarray, Callable[[int], str]]:
    """Codes of the bins between rounded fifths of the reference."""
    cuts = _dates(source) if feature.kind == "datetime" else _numbers(source, feature)
    above = [(column > cut).to_numpy(dtype=bool, na_value=False) for cut in cuts]
    codes = np.sum(above, axis=0, dtype=int) if cuts else np.zeros(len(column), dtype=int)
    codes[column.isna().to_numpy()] = len(cuts) + 1
    names = [f"{cut:.10g}" if isinstance(cut, float) else str(cut) for cut in cuts]
    whole = feature.kind == "integer"

    def spell(code: int) -> str:
        if code == len(cuts) + 1:
            return f"{feature.name} is missing"
        if code == 0:
            return f"{feature.name} at most {names[0]}"
        start = f"{cuts[code - 1] + 1:.10g}" if whole else names[code - 1]
        if code == len(cuts):
            return f"{feature.name} {start} or more" if whole else f"{feature.name} above {start}"
        if whole and start == names[code]:
            return f"{feature.name} = {start}"
        return f"{feature.name} {start if whole else 'above ' + start} to {names[code]}"

    return codes, spell


def _numbers(source: pd.Series, feature: Feature) -> list[float]:
    """Fifths, rounded to about a tenth of the feature's scale."""
    values = as_numbers(source)
    values = values[np.isfinite(values)]
    if not values.size:
        return []
    digits = -int(np.floor(np.log10(feature.scale / 10)))
    fifths = np.quantile(values, _FIFTHS, method="inverted_cdf")
    rounded = np.round(fifths, min(digits, 0) if feature.kind == "integer" else digits)
    return [float(cut) + 0.0 for cut in np.unique(rounded)]


def _dates(source: pd.Series) -> list[Any]:
    """Fifths of dates, at midnight unless they lie within a few days."""
    import pandas as pd

    known = source.dropna()
    if known.empty:
        return []
    fifths: Any = known.quantile(list(_FIFTHS), interpolation="lower")
    wide = fifths.iloc[-1] - fifths.iloc[0] > pd.Timedelta(days=5)
    return sorted(set(fifths.dt.floor("D" if wide else "s")))

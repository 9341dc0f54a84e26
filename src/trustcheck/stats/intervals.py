"""Confidence intervals: the one door to those on counts and those on rows."""

from trustcheck.stats._means import (
    bounded_mean,
    effective_size,
    mean,
    median,
    ratio_of_means,
)
from trustcheck.stats._proportions import (
    Interval,
    clopper_pearson,
    koopman,
    mid_p,
    mover_difference,
    mover_sum,
    newcombe,
    wilson,
    z_value,
)

__all__ = [
    "Interval",
    "bounded_mean",
    "clopper_pearson",
    "effective_size",
    "koopman",
    "mean",
    "median",
    "mid_p",
    "mover_difference",
    "mover_sum",
    "newcombe",
    "ratio_of_means",
    "wilson",
    "z_value",
]

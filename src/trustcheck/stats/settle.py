"""How many more rows would turn an inconclusive interval into an answer."""

import math

# An interval that only just clears the limit on average would do so every other time; these
# 0.84 standard errors more make it 80 %. All intervals here are at 95 %, hence 1.96.
_STRETCH = 1 + 0.8416 / 1.96


def rows_needed(value: float, low: float, high: float, n: float, limit: float) -> int | None:
    """Rows to add until an interval clears a limit, with a chance of about 80 %.

    Parameters
    ----------
    value, low, high
        An estimate and its 95 % interval, ``low <= value <= high``, in the unit of `limit`.
    n
        Rows (or effective rows) it was measured on.
    limit
        The limit inside the interval.

    Returns
    -------
    int or None
        At least 1; None if no number of rows settles it: the estimate equals the limit, there
        are no rows, or an end is not finite.

    Notes
    -----
    Supposes that the value stays and that the half-width w facing the limit shrinks like
    1 / sqrt(n): ``n' = n (w (1 + 0.84 / 1.96) / |value - limit|)^2``.

    References
    ----------
    Schuirmann (1987), A comparison of the two one-sided tests procedure.

    Examples
    --------
    >>> from trustcheck.stats.settle import rows_needed
    >>> rows_needed(0.06, 0.02, 0.12, 400, limit=0.10)
    1439
    """
    distance = abs(value - limit)
    width = high - value if value < limit else value - low
    if distance == 0 or n == 0 or not math.isfinite(distance * width):
        return None
    more = n * (width * _STRETCH / distance) ** 2 - n
    return max(math.ceil(more), 1) if math.isfinite(more) else None

"""Three small, well-known tables of real people, for examples and tests.

Each loader reads a file that ships with trustcheck: no network, no cache, a fresh copy each time.
Authors, licences and the changes made to the files are in ``NOTICE.md`` in this folder.

Examples
--------
>>> from trustcheck import datasets
>>> credit = datasets.load_german_credit()
>>> X_train, X_test, y_train, y_test = credit.train_test()
>>> X_test.shape, credit.sensitive
((300, 21), ('sex',))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset", "load_adult", "load_bank_marketing", "load_german_credit"]

#: Share of the rows held out where the data set has no split of its own.
TEST_SIZE = 0.3


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table with what one has to know before fitting a model to it.

    Parameters
    ----------
    name : str
        Short name.
    frame : pandas.DataFrame
        Every column of the source, in its row order; the index is the row's position there.
    target : str
        Column to predict, coded 0 and 1.
    positive : int
        The favourable outcome.
    sensitive : tuple of str
        Columns whose levels can be compared as groups as they stand.
    drop : tuple of str
        Columns that must not be model inputs: weights, bookkeeping, leaks.
    split : {"given", "random", "time"}
        How :meth:`train_test` divides the rows.
    description : str
        Origin, licence and warnings.
    """

    name: str
    frame: pd.DataFrame = field(repr=False)
    target: str
    positive: int
    sensitive: tuple[str, ...]
    drop: tuple[str, ...]
    split: Literal["given", "random", "time"]
    description: str = field(repr=False)

    @property
    def X(self) -> pd.DataFrame:  # noqa: N802 - the field's name
        """The features, as a new frame.

        Examples
        --------
        >>> load_adult().X.shape
        (48842, 13)
        """
        return self.frame.drop(columns=[self.target, *self.drop])

    @property
    def y(self) -> pd.Series[int]:
        """The target, as a new series.

        Examples
        --------
        >>> load_adult().y.value_counts().to_dict()
        {0: 37155, 1: 11687}
        """
        return self.frame[self.target].copy()

    def train_test(
        self, test_size: float | None = None, *, seed: int = 0
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series[int], pd.Series[int]]:
        """Divide features and target into a training and a test part.

        A data set with a published split keeps it; one in time order is cut once, so that the
        test part lies later; any other is permuted.

        Parameters
        ----------
        test_size : float, optional
            Share of the rows in the test part, 0.3 if not given. Not for a published split.
        seed : int
            Seed of the permutation; without effect where nothing is permuted.

        Returns
        -------
        X_train, X_test, y_train, y_test
            In the order of :func:`sklearn.model_selection.train_test_split`; rows keep the index
            they have in ``frame``.

        Raises
        ------
        ValueError
            If ``test_size`` leaves a part empty, or is given for a published split.

        Examples
        --------
        >>> X_train, X_test, y_train, y_test = load_adult().train_test()
        >>> len(X_train), len(X_test)
        (32561, 16281)

        The bank's later calls did not go like its first ones:

        >>> X_train, X_test, y_train, y_test = load_bank_marketing().train_test()
        >>> print(f"{y_train.mean():.1%} then, {y_test.mean():.1%} later")
        5.6% then, 24.5% later
        """
        train, test = self._positions(test_size, seed)
        X, y = self.X, self.y
        return X.iloc[train], X.iloc[test], y.iloc[train], y.iloc[test]

    def _positions(self, test_size: float | None, seed: int) -> tuple[list[int], list[int]]:
        import numpy as np

        n = len(self.frame)
        if self.split == "given":
            if test_size is not None:
                raise ValueError(f"{self.name} has a published split: leave test_size out")
            held_out = (self.frame["split"] == "test").to_numpy()
            return np.flatnonzero(~held_out).tolist(), np.flatnonzero(held_out).tolist()
        cut = n - round(n * (TEST_SIZE if test_size is None else test_size))
        if not 0 < cut < n:
            raise ValueError(f"test_size={test_size} leaves no rows to train or to test on")
        order = (
            np.random.default_rng(seed).permutation(n) if self.split == "random" else np.arange(n)
        )
        return order[:cut].tolist(), order[cut:].tolist()


def load_german_credit() -> Dataset:
    """Load the Statlog German credit data: 1,000 applicants, 70 % of them good risks.

    Returns
    -------
    Dataset
        ``sensitive`` is ``("sex",)``. Age is a number, so band it first (the literature cuts at
        25); ``foreign_worker`` is left out because only 37 people form one of its groups;
        ``personal_status_sex`` is the column that ``sex`` was cut out of.

    Examples
    --------
    >>> credit = load_german_credit()
    >>> credit
    Dataset(name='german_credit', target='good_credit', positive=1, sensitive=('sex',), drop=(),
            split='random')
    >>> credit.frame.groupby("sex")["good_credit"].mean().round(3).to_dict()
    {'female': 0.648, 'male': 0.723}
    """
    return Dataset(
        name="german_credit",
        frame=_read("german_credit.csv.gz"),
        target="good_credit",
        positive=1,
        sensitive=("sex",),
        drop=(),
        split="random",
        description=(
            "Statlog (German Credit Data), H. Hofmann, UCI Machine Learning Repository, 1994, "
            "doi:10.24432/C5NC77, CC BY 4.0. 1,000 applicants of a German bank; 1 is a good risk."
            " Warning: U. Groemping (South German Credit Data: Correcting a Widely Used Data Set,"
            " 2019) shows that the code table in general use is wrong for several columns. The "
            "code read as divorced, separated or married women also holds single men, so `sex` "
            "and figures by sex show how a tool works and say nothing about the bank. The "
            "original description counts a bad risk taken for good as 5, the reverse as 1."
        ),
    )


def load_adult(split: Literal["train", "test"] | None = None) -> Dataset:
    """Load the Adult (census income) data: 48,842 people, 24 % of them earning over 50,000 dollars.

    Parameters
    ----------
    split : {"train", "test"}, optional
        Part of the published split; both if not given. One part alone is divided at random by
        :meth:`Dataset.train_test`.

    Returns
    -------
    Dataset
        ``sensitive`` is ``("sex", "race")``. Age is a number, so band it first;
        ``native_country`` has 41 levels, most of them with few people.

    Raises
    ------
    ValueError
        If ``split`` is another word.

    Examples
    --------
    >>> adult = load_adult()
    >>> adult.frame.groupby("sex")["income_over_50k"].mean().round(3).to_dict()
    {'Female': 0.109, 'Male': 0.304}
    >>> len(load_adult("test").X)
    16281
    """
    frame = _read("adult.csv.xz")
    if split is not None:
        if split not in {"train", "test"}:
            raise ValueError(f"split is 'train', 'test' or None, not {split!r}")
        frame = frame[frame["split"] == split].copy()
    return Dataset(
        name="adult",
        frame=frame,
        target="income_over_50k",
        positive=1,
        sensitive=("sex", "race"),
        drop=("fnlwgt", "split"),
        split="given" if split is None else "random",
        description=(
            "Adult (Census Income), B. Becker and R. Kohavi, UCI Machine Learning Repository, "
            "1996, doi:10.24432/C5XW20, CC BY 4.0. Extract of the 1994 US Current Population "
            "Survey; 1 is an income over 50,000 dollars. `fnlwgt` is a sampling weight and "
            "`split` the published split: neither is a model input. Warning: 3,620 rows lack a "
            "workclass, occupation or country, so base rates in the literature differ (23.93 % of"
            " all rows, 24.78 % of the complete ones); 52 rows repeat another, some of them "
            "across the split."
        ),
    )


def load_bank_marketing() -> Dataset:
    """Load the bank marketing data: 41,188 calls in time order, 11 % of them ending in a deposit.

    Returns
    -------
    Dataset
        ``sensitive`` is ``("marital",)``. Age is a number, so band it first; ``job`` has twelve
        levels and says more about income than about a protected group.

    Examples
    --------
    >>> bank = load_bank_marketing()
    >>> bank.frame.groupby("year")["subscribed"].mean().round(3).to_dict()
    {2008: 0.048, 2009: 0.195, 2010: 0.521}
    """
    return Dataset(
        name="bank_marketing",
        frame=_read("bank_marketing.csv.xz"),
        target="subscribed",
        positive=1,
        sensitive=("marital",),
        drop=("row", "year", "duration"),
        split="time",
        description=(
            "Bank Marketing, S. Moro, P. Cortez and P. Rita, Decision Support Systems 62, 2014, "
            "doi:10.1016/j.dss.2014.03.001; UCI Machine Learning Repository, doi:10.24432/C5K306,"
            " CC BY 4.0. Calls of a Portuguese bank, May 2008 to November 2010, in time order; 1 "
            "is a deposit made. `duration` is known only after the call and so leaks the outcome;"
            " `row` and `year` are bookkeeping: none is a model input. Warning: the economy "
            "changed under the campaign, so a random split hides real drift. `pdays` = 999 means "
            "never called before; unknown values are the level 'unknown', not missing."
        ),
    )


def _read(file: str) -> pd.DataFrame:
    """Read a shipped file; an empty cell is missing, no word is."""
    import pandas as pd

    with files(__name__).joinpath(file).open("rb") as packed:
        return pd.read_csv(
            packed,
            compression="xz" if file.endswith(".xz") else "gzip",
            keep_default_na=False,
            na_values=[""],
        )

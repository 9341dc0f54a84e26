import numpy as np
import pandas as pd
import pytest

from trustcheck.stats.anonymity import classes, distinct_within, share_below


def test_classes_and_diversity_equal_those_of_pandas():
    rng = np.random.default_rng(0)
    for d in (1, 3, 7):
        codes = rng.integers(0, 4, (500, d))
        labels = rng.integers(0, 3, 500)
        group = classes(codes)
        frame = pd.DataFrame(codes).assign(label=labels)
        by = frame.groupby(list(range(d)))
        assert sorted(np.bincount(group)) == sorted(by.size())
        assert sorted(distinct_within(group, labels)) == sorted(by["label"].nunique())
        assert len(np.unique(np.column_stack([codes, group]), axis=0)) == group.max() + 1


def test_many_columns_of_many_values_do_not_overflow():
    codes = np.random.default_rng(1).integers(0, 10**6, (50, 40))
    assert len(np.unique(classes(codes))) == 50


def test_a_table_without_rows_has_no_share():
    with pytest.raises(ValueError, match="no rows"):
        share_below([], [], 5)

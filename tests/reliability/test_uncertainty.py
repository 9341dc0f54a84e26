import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import trustcheck as tc
from trustcheck.reliability import uncertainty
from trustcheck.types import InputError


class Sure(BayesianRidge):
    """States half of its spread."""

    def predict(self, X, return_std=False):
        found = super().predict(X, return_std=return_std)
        return (found[0], found[1] / 2) if return_std else found


def world(seed, model, n=1500):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 3))
    y = X[:, 0] + rng.normal(size=2 * n)
    model = make_pipeline(StandardScaler(), model).fit(X[:n], y[:n])
    return tc.Subject(model, X[n:], y[n:])


def test_true_statements_pass_and_too_sure_ones_fail_in_19_of_20_worlds():
    true = [uncertainty(world(s, BayesianRidge())) for s in range(20)]
    sure = [uncertainty(world(s, Sure())) for s in range(20)]
    assert sum(found.high <= 0.07 for found in true) >= 19
    assert sum(found.low > 0.07 for found in sure) >= 19
    assert "surer than it should be" in sure[0].notes[0]


def test_the_transform_is_scipys_and_the_model_is_asked_once():
    subject = world(1, BayesianRidge())
    found = uncertainty(subject)
    centre, spread = subject.native.predict(subject.own(subject.X), return_std=True)
    u = scipy.stats.norm.cdf(subject.truth, centre, spread)
    expected = scipy.stats.kstest(u, "uniform").statistic
    assert found.metrics["pit_distance"].value == pytest.approx(expected, abs=1e-12)
    z = np.random.default_rng(0).normal(size=(4000, 1))
    by_draws = np.mean(
        np.abs(centre + spread * z - subject.truth).mean(0)
        - np.abs(spread * (z - z[::-1])).mean(0) / 2
    )
    assert found.metrics["crps"].value == pytest.approx(by_draws, rel=0.02)
    assert uncertainty(subject).rows_sent == {}


def test_ends_given_as_columns_are_counted_and_bad_ones_are_refused_by_name():
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"a": rng.normal(size=1000)})
    y = X["a"] + rng.normal(size=1000)
    X["low"], X["high"] = X["a"] - 1.645, X["a"] + 1.645
    subject = tc.Subject(lambda X: X["a"].to_numpy(), X, y, features=["a"], task="regression")
    found = uncertainty(subject, lower="low", upper="high")
    assert found.rows[0]["coverage"] == np.mean((X["low"] <= y) & (y <= X["high"]))
    assert found.at_most(0.05).status == "pass"
    with pytest.raises(InputError, match="swap the two"):
        uncertainty(subject, lower="high", upper="low")
    with pytest.raises(InputError, match="no column 'none'"):
        uncertainty(subject, lower="none", upper="low")
    with pytest.raises(InputError, match="name both ends"):
        uncertainty(subject, lower="low")


def test_a_model_that_states_nothing_is_skipped_with_the_remedy():
    X = np.random.default_rng(3).normal(size=(50, 1))
    found = uncertainty(tc.Subject(lambda X: X[:, 0], X, X[:, 0], task="regression"))
    assert found.status == "skipped"
    assert "lower=" in found.reason

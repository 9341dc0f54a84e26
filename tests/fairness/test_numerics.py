"""Every metric is the number that fairlearn, scikit-learn, SciPy or a count by hand gives."""

import functools
import itertools
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fl
from scipy import optimize, stats
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

import trustcheck as tc
from trustcheck import catalog, datasets, fairness

GOLDEN = Path(__file__).parents[1] / "golden" / "published.py"
# Asked of samples or of perturbed rows; each is compared by hand in its own test.
ELSEWHERE = {"consistency", "flips", "proxies"}


def adult_tree():
    frame = runpy.run_path(str(GOLDEN))["load_tree"]()
    return frame["y_true"], frame["y_pred"], None, frame[["sex"]]


def adult_logreg():
    frame = runpy.run_path(str(GOLDEN))["load_logreg"]()
    return frame["y_true"], frame["y_pred"], frame["y_prob"], frame[["sex", "race"]]


def german():
    data = datasets.load_german_credit()
    X = pd.get_dummies(data.X).to_numpy(dtype=float)
    model = LogisticRegression(solver="liblinear").fit(X[:500], data.y[:500])
    groups = pd.DataFrame(
        {
            "age": np.where(data.X["age"] < 30, "young", "old"),
            "foreign": data.X["foreign_worker"].astype(str),
        }
    )
    return data.y, model.predict(X), model.predict_proba(X)[:, 1], groups


def random_table(seed, n, groups):
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 2, (2, n))
    columns = {f"c{j}": rng.choice(list("abcdefgh")[:k], n) for j, k in enumerate(groups)}
    return y, p, rng.random(n), pd.DataFrame(columns)


TABLES = {
    "adult, tree": adult_tree,
    "adult, logistic": adult_logreg,
    "german credit": german,
    "random": lambda: random_table(0, 300, (3,)),
    "random, many groups": lambda: random_table(1, 900, (8, 2)),
}


@functools.cache
def table(name, *, weighted):
    y, p, s, g = TABLES[name]()
    y, p = np.asarray(y).astype(int), np.asarray(p).astype(int)
    # Of equal weights nothing may depend on there being any.
    w = np.random.default_rng(5).exponential(size=len(y)) if weighted else np.ones(len(y))
    rng = np.random.default_rng(6)
    number = rng.normal(size=len(y)) + y
    guess = rng.normal(size=len(y)) / 2 + y
    return SimpleNamespace(
        y=y, p=p, s=None if s is None else np.asarray(s), g=g, w=w, weighted=weighted,
        group=g.iloc[:, 0].to_numpy(), number=number, guess=guess,
    )  # fmt: skip


def subject(t, task="binary"):
    options = {"sensitive": t.g.reset_index(drop=True)}
    if t.weighted:
        options["sample_weight"] = t.w
    if task == "regression":
        return tc.Subject.from_predictions(t.number, t.guess, task=task, **options)
    return tc.Subject.from_predictions(t.y, t.p, t.s, classes=[0, 1], **options)


def frame(t, metric, y=None, p=None):
    return fl.MetricFrame(
        metrics=metric, y_true=t.y if y is None else y, y_pred=t.p if p is None else p,
        sensitive_features=t.group, sample_params={"sample_weight": t.w},
    )  # fmt: skip


def by_frame(metric, miss=None):
    def expected(t):
        found = frame(t, metric)
        miss_ratio = {} if miss is None else {"miss_ratio": frame(t, miss).ratio()}
        return {"gap": found.difference(), "ratio": found.ratio()} | miss_ratio

    return expected


def shares(t, hit, among):
    return np.array(
        [
            np.average(hit[among & (t.group == k)], weights=t.w[among & (t.group == k)])
            for k in np.unique(t.group)
        ]
    )


def treatment(t):
    rate = shares(t, t.y > t.p, t.y != t.p)
    return {"gap": np.ptp(rate), "ratio": rate.min() / rate.max()}


def auc(t):
    rates = [sk.roc_auc_score(t.y[t.group == k], t.s[t.group == k]) for k in np.unique(t.group)]
    return {"gap": np.ptp(rates)}


def cross(t):
    def xauc(a, b):
        rows = ((t.group == a) & (t.y == 1)) | ((t.group == b) & (t.y == 0))
        return sk.roc_auc_score(t.y[rows], t.s[rows])

    pairs = itertools.combinations(np.unique(t.group), 2)
    return {"gap": max(abs(xauc(a, b) - xauc(b, a)) for a, b in pairs)}


def calibration(t):
    return {"gap": np.abs(shares(t, t.y - t.s, t.y >= 0)).max()}


def distance(t):
    pairs = itertools.combinations(np.unique(t.group), 2)
    return {
        "gap": max(stats.ks_2samp(t.s[t.group == a], t.s[t.group == b]).statistic for a, b in pairs)
    }


def bands(t):
    found = [frame(t, fl.selection_rate, p=(t.s >= h).astype(int)) for h in (0.2, 0.4, 0.6, 0.8)]
    return {"gap": max(f.difference() for f in found)}


def cells(t):
    gaps = []
    for size in (1, 2):
        for by in itertools.combinations(t.g.columns, size):
            for _, rows in t.g.reset_index(drop=True).groupby(list(by)):
                inside = np.isin(np.arange(len(t.y)), rows.index)
                sides = [fl.selection_rate(t.y[m], t.p[m], sample_weight=t.w[m])
                         for m in (inside, ~inside)]  # fmt: skip
                gaps.append(abs(sides[0] - sides[1]))
    return {"gap": max(gaps)}


def mantel_haenszel(t):
    """Common risk difference of each group from the largest, over strata of the second column."""
    strata, sizes = t.g.iloc[:, 1].to_numpy(), pd.Series(t.w).groupby(t.group).sum()
    largest, found = sizes.idxmax(), []

    def effective(mask):
        # Strata weigh by rows, or by effective rows: rate (1 - rate) over the rate's variance.
        w, hit = t.w[mask], t.p[mask]
        if not mask.any():
            return 0.0, 0.0
        rate = np.average(hit, weights=w)
        if not t.weighted:
            return rate, float(mask.sum())
        spread = (w**2 * (hit - rate) ** 2).sum() / w.sum() ** 2
        n = rate * (1 - rate) / spread if spread > 0 else w.sum() ** 2 / (w**2).sum()
        return rate, n

    for k in np.unique(t.group):
        top = bottom = 0.0
        for stratum in np.unique(strata):
            (p1, n1), (p2, n2) = (
                effective((strata == stratum) & (t.group == name)) for name in (k, largest)
            )
            weight = n1 * n2 / (n1 + n2) if n1 and n2 else 0.0
            top, bottom = top + weight * (p1 - p2), bottom + weight
        if k != largest:
            found.append(abs(top / bottom))
    return {"gap": max(found)}


ORACLES = {
    "demographic_parity": by_frame(fl.selection_rate),
    "equal_opportunity": by_frame(fl.true_positive_rate, fl.false_negative_rate),
    "predictive_equality": by_frame(fl.false_positive_rate),
    "equalized_odds": lambda t: {
        "gap": fl.equalized_odds_difference(
            t.y, t.p, sensitive_features=t.group, sample_weight=t.w
        ),
        "ratio": fl.equalized_odds_ratio(t.y, t.p, sensitive_features=t.group, sample_weight=t.w),
    },
    "predictive_parity": by_frame(sk.precision_score),
    "negative_predictive_parity": by_frame(functools.update_wrapper(
        functools.partial(sk.precision_score, pos_label=0), sk.precision_score)),
    "accuracy_parity": by_frame(sk.accuracy_score, sk.zero_one_loss),
    "treatment_equality": treatment,
    "user_metric": lambda t: {"gap": frame(t, sk.f1_score).difference()},
    "worst_group": lambda t: {"worst": frame(t, sk.accuracy_score).group_min()},
    "representation": lambda t: {
        "label_gap": frame(t, fl.selection_rate, p=t.y).difference(),
        "smallest_share": min(t.w[t.group == k].sum() / t.w.sum() for k in np.unique(t.group)),
    },
    "auc_parity": auc,
    "cross_auc": cross,
    "mean_score": lambda t: {"gap": frame(t, fl.mean_prediction, p=t.s).difference()},
    "group_calibration": calibration,
    "distribution_parity": distance,
    "threshold_bands": bands,
    "intersections": cells,
    "conditional_parity": mantel_haenszel,
    "residual_parity": lambda t: {
        "gap": np.ptp(shares(t, t.number - t.guess, t.y >= 0)),
    },
    "error_parity": lambda t: {
        "ratio": frame(t, sk.mean_absolute_error, t.number, t.guess).ratio(),
    },
}  # fmt: skip
SETTINGS = {
    "user_metric": {"metric": "f1_score", "draws": 100},
    "threshold_bands": {"between": (0.2, 0.8), "steps": 4},
}
SCORED = {
    "auc_parity",
    "cross_auc",
    "mean_score",
    "group_calibration",
    "distribution_parity",
    "threshold_bands",
}
UNWEIGHTED = {"auc_parity", "cross_auc", "distribution_parity"}
TWO_COLUMNS = {"intersections", "conditional_parity"}


def cases():
    for name, (where, weighted) in itertools.product(
        ORACLES, itertools.product(TABLES, (False, True))
    ):
        if weighted and name in UNWEIGHTED:
            continue  # these say that they do not use weights
        if where == "adult, tree" and name in SCORED | TWO_COLUMNS:
            continue  # it has neither scores nor a second column
        if where == "random" and name in TWO_COLUMNS:
            continue
        if name == "user_metric" and where not in ("german credit", "random"):
            continue  # slow, and the same road to fairlearn
        yield pytest.param(name, where, weighted, id=f"{name}-{where}-{'w' * weighted or '1'}")


@pytest.mark.parametrize(("name", "where", "weighted"), list(cases()))
def test_a_metric_is_that_of_another_implementation(name, where, weighted):
    t = table(where, weighted=weighted)
    settings = dict(SETTINGS.get(name, {}))
    if name == "conditional_parity":
        settings["given"] = t.g.columns[1]
    if name != "intersections":
        settings["by"] = t.g.columns[0]
    task = "regression" if name in ("residual_parity", "error_parity") else "binary"
    finding = getattr(fairness, name)(subject(t, task), **settings)
    for metric, value in ORACLES[name](t).items():
        if metric == "miss_ratio" and np.isnan(value):
            continue
        assert finding.metrics[metric].value == pytest.approx(value, abs=1e-12), metric


def test_no_metric_is_left_out():
    names = {key.partition(".")[2] for key in catalog.probes() if key.startswith("fairness.")}
    assert names == set(ORACLES) | ELSEWHERE


@pytest.mark.parametrize("where", TABLES)
def test_intervals_of_rates_are_wilsons(where):
    t = table(where, weighted=False)
    finding = fairness.demographic_parity(subject(t), by=t.g.columns[0])
    for row in finding.rows:
        low, high = proportion_confint(row["count"], row["n"], method="wilson")
        assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-12)


def mid_p(row):
    """Rate and mid-p ends, by bisection of the exact tails."""
    x, n = row["count"], row["n"]

    def above(p):
        return stats.binom.sf(x, n, p) + stats.binom.pmf(x, n, p) / 2

    low = optimize.brentq(lambda p: above(p) - 0.025, 1e-9, x / n, xtol=1e-14)
    high = optimize.brentq(lambda p: above(p) - 0.975, x / n, 1 - 1e-9, xtol=1e-14)
    return x / n, low, high


@pytest.mark.parametrize("where", ["adult, tree", "adult, logistic", "german credit"])
@pytest.mark.parametrize("name", ["demographic_parity", "equal_opportunity", "accuracy_parity"])
def test_intervals_of_two_groups_are_newcombes_of_mid_p_ends(name, where):
    t = table(where, weighted=False)
    finding = getattr(fairness, name)(subject(t), by=t.g.columns[0])
    top, bottom = sorted(finding.rows, key=lambda row: -row["rate"])
    (p, low_p, high_p), (q, low_q, high_q) = map(mid_p, (top, bottom))
    low, high = p - q - np.hypot(p - low_p, high_q - q), p - q + np.hypot(high_p - p, q - low_q)
    assert (finding.low, finding.high) == pytest.approx((max(low, 0), high), abs=2e-5)
    of_wilson = confint_proportions_2indep(
        top["count"], top["n"], bottom["count"], bottom["n"], method="newcomb"
    )
    assert (finding.low, finding.high) == pytest.approx(np.maximum(of_wilson, 0), abs=0.02)
    tilted = confint_proportions_2indep(
        bottom["count"], bottom["n"], top["count"], top["n"], method="score", compare="ratio"
    )
    ratio = finding.metrics["ratio"]
    assert (ratio.low, min(ratio.high, 1)) == pytest.approx(
        (tilted[0], min(tilted[1], 1)), abs=2e-3
    )

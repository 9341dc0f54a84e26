"""Our query-only attack beside ART's HopSkipJump: median distance, rows sent, seconds.

Distances are in robust scales and over the same rows; both attacks see the same model and may
start at the same reference rows, and every point counted flips the model's own `predict`. Run:
python benchmarks/attacks.py [rows]; six rows, the default, take ten minutes, nearly all of them
spent in HopSkipJump.
"""

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from art.attacks.evasion import HopSkipJump
from art.estimators.classification import BlackBoxClassifier
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import trustcheck as tc
from trustcheck.robustness._flip import Flip
from trustcheck.search._attack import DONORS, Search, attack
from trustcheck.search._space import Space
from trustcheck.search._starts import starts

MODELS: dict[str, Callable[[], Any]] = {
    "LR": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    "HGB": lambda: HistGradientBoostingClassifier(random_state=0),
    "RF": lambda: RandomForestClassifier(100, random_state=0),
}
OURS = [("scores, 150", "auto", 150), ("scores, 490", "auto", 490), ("labels, 150", "labels", 150),
        ("labels, 490", "labels", 490)]  # fmt: skip


def tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    made = make_classification(3000, 20, n_informative=10, random_state=0)
    return {"20 features": made, "breast cancer": load_breast_cancer(return_X_y=True)}


def ours(subject: tc.Subject, rows: np.ndarray, norm: str, output: str, queries: int) -> Search:
    space = Space.of(subject.X.iloc[rows], subject.schema, norm=norm, category=1.0)
    flip = Flip.of(subject, rows, output, 1.0, subject.reference)
    rng = np.random.default_rng(0)
    at = subject.reference.sample(4000, rng)
    other, alike = flip.pool(subject.reference, at)
    donors = starts(space, space.encode(subject.reference.X.iloc[at]), other, alike, DONORS)
    search = Search(space, flip.ask, queries)
    attack(search, donors, rng, margin=flip.margin)
    every = np.arange(len(rows))
    search.distance[~flip.confirm(space.decode(every, search.best), every)] = np.inf
    return search


def theirs(subject: tc.Subject, rows: np.ndarray, norm: str) -> tuple[np.ndarray, float]:
    scales = np.array([subject.schema[name].scale for name in subject.features])
    low, high = (np.array([getattr(subject.schema[n], end) for n in subject.features]) / scales
                 for end in ("low", "high"))  # fmt: skip
    own = subject.X.iloc[rows].to_numpy() / scales
    base, sent = subject.predictions[rows], 0

    def predict(scaled: np.ndarray) -> np.ndarray:
        nonlocal sent
        sent += len(scaled)
        frame = pd.DataFrame(np.asarray(scaled, dtype=float) * scales, columns=subject.features)
        return np.eye(2)[subject.predict(frame)]

    box = (np.minimum(low, own.min(axis=0)), np.maximum(high, own.max(axis=0)))
    classifier = BlackBoxClassifier(predict, (len(scales),), 2, clip_values=box)
    np.random.seed(0)  # noqa: NPY002 - ART draws from the global stream
    attacker = HopSkipJump(classifier, norm=2 if norm == "l2" else np.inf, verbose=False)
    found = attacker.generate(own, x_adv_init=nearest_other(subject, rows, own, scales))
    answers = predict(found).argmax(axis=1)
    size = np.linalg.norm(found - own, ord=2 if norm == "l2" else np.inf, axis=1)
    return np.where(answers != base, size, np.inf), sent / len(rows)


def nearest_other(
    subject: tc.Subject, rows: np.ndarray, own: np.ndarray, scales: np.ndarray
) -> np.ndarray:
    """Start HopSkipJump, too, at the nearest reference row with another answer."""
    pool = subject.reference.X.to_numpy() / scales
    far = np.linalg.norm(own[:, None] - pool, axis=2)
    same = subject.reference.predictions == subject.predictions[rows][:, None]
    return np.asarray(pool[np.where(same, np.inf, far).argmin(axis=1)])


def main(count: int = 6) -> None:
    warnings.filterwarnings("ignore")
    print(f"{'data':<14}{'model':<5}{'norm':<6}{'attack':<14}{'median':>8}{'rows':>8}{'s':>7}")
    for data, (X, y) in tables().items():
        order = np.random.default_rng(0).permutation(len(X))
        frame = pd.DataFrame(X[order], columns=[f"x{j}" for j in range(X.shape[1])])
        cut = 2 * len(X) // 3
        train, test, taught, truth = frame[:cut], frame[cut:], y[order][:cut], y[order][cut:]
        for name, make in MODELS.items():
            model = make().fit(train, taught)
            subject = tc.Subject(
                model, test.reset_index(drop=True), truth, reference=(train, taught)
            )
            rows = np.flatnonzero(subject.predictions == subject.truth)[:count]
            for norm in ("l2", "linf"):
                lines = []
                for label, output, queries in OURS:
                    started = time.perf_counter()
                    search = ours(subject, rows, norm, output, queries)
                    spent = time.perf_counter() - started
                    lines.append((label, np.median(search.distance), search.used.mean(), spent))
                started = time.perf_counter()
                far, sent = theirs(subject, rows, norm)
                lines.append(("HopSkipJump", np.median(far), sent, time.perf_counter() - started))
                for label, median, sent, seconds in lines:
                    print(f"{data:<14}{name:<5}{norm:<6}{label:<14}{median:>8.3f}{sent:>8.0f}"
                          f"{seconds:>7.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

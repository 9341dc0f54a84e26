"""Our query-only attack beside ART's HopSkipJump: median distance, rows sent, seconds.

Distances are in robust scales and over the same rows; both attacks see the same model and may
start at the same reference rows, and every point counted flips the model's own `predict`. The
reference is scored once for all rows (its rows are printed, and not counted as sent). Run:

    python benchmarks/attacks.py [rows] [rows of the random forest] [models, as LR,HGB]

HopSkipJump runs with its defaults but for the rows it hands over at once: 64 would make it several
times slower for the same result. It still needs nearly all of the time.
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
from trustcheck.search._starts import stand_in, starts

MODELS: dict[str, Callable[[], Any]] = {
    "LR": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    "HGB": lambda: HistGradientBoostingClassifier(random_state=0),
    "RF": lambda: RandomForestClassifier(100, random_state=0),
}
#: Rows HopSkipJump hands over at once.
BATCH = 10_000
#: What ours is given: whether it sees scores, and most rows sent a row, by norm.
OURS = {
    "l2": [("scores, 490", "auto", 490), ("labels, 1000", "labels", 1000)],
    "linf": [("scores, 490", "auto", 490), ("labels, 120", "labels", 120)],
}


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
    search.prior[:] = stand_in(space, space.encode(subject.reference.X.iloc[at]), alike)
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
    attacker = HopSkipJump(
        classifier, norm=2 if norm == "l2" else np.inf, batch_size=BATCH, verbose=False
    )
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


def main(count: int = 6, forest: int = 0, only: str = "") -> None:
    warnings.filterwarnings("ignore")
    print(f"{'data':<14}{'model':<5}{'norm':<6}{'attack':<14}{'rows':>5}{'median':>8}"
          f"{'sent':>8}{'s':>8}  against HopSkipJump")  # fmt: skip
    won: dict[str, list[bool]] = {}
    for data, (X, y) in tables().items():
        order = np.random.default_rng(0).permutation(len(X))
        frame = pd.DataFrame(X[order], columns=[f"x{j}" for j in range(X.shape[1])])
        cut = 2 * len(X) // 3
        train, test, taught, truth = frame[:cut], frame[cut:], y[order][:cut], y[order][cut:]
        for name in only.split(",") if only else MODELS:
            model = MODELS[name]().fit(train, taught)
            subject = tc.Subject(
                model,
                test.reset_index(drop=True),
                truth,
                reference=(train, taught),
                schema={"relations": []},  # HopSkipJump knows of none
            )
            most = forest or count if name == "RF" else count
            rows = np.flatnonzero(subject.predictions == subject.truth)[:most]
            for norm, ours_given in OURS.items():
                started = time.perf_counter()
                far, sent = theirs(subject, rows, norm)
                spent, middle = time.perf_counter() - started, np.median(far)
                say = f"{data:<14}{name:<5}{norm:<6}"
                print(
                    f"{say}{'HopSkipJump':<14}{len(rows):>5}{middle:>8.3f}{sent:>8.0f}{spent:>8.1f}"
                )
                for label, output, queries in ours_given:
                    started = time.perf_counter()
                    search = ours(subject, rows, norm, output, queries)
                    took, median = time.perf_counter() - started, np.median(search.distance)
                    used = search.used.mean()
                    won.setdefault(output, []).append(bool(median <= middle))
                    print(f"{say}{label:<14}{len(rows):>5}{median:>8.3f}{used:>8.0f}{took:>8.1f}"
                          f"  distance x{median / middle:.2f}, rows /{sent / used:.0f},"
                          f" time /{spent / took:.0f}", flush=True)  # fmt: skip
    for output, wins in won.items():
        print(f"{output}: median as small or smaller in {sum(wins)} of {len(wins)} settings")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*map(int, arguments[:2]), *arguments[2:3])

"""Tree ensembles, white box: how near the nearest flip found is to the proof that none is nearer.

For every model and norm: rows whose smallest flip is known exactly, gaps between the size found
and the size proven, and processor seconds a row; then the share of rows certified at 0.25 robust scales.
Every flip is confirmed by the model's own `predict`. Run:
python benchmarks/tree_attacks.py [rows] [words of model or data ...]
"""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from trustcheck import datasets
from trustcheck.search import _tree_attack
from trustcheck.search._space import Space
from trustcheck.subject import Schema

MODELS: dict[str, Callable[[], Any]] = {
    "RF depth 6": lambda: RandomForestClassifier(100, max_depth=6, random_state=0),
    "RF unpruned": lambda: RandomForestClassifier(100, random_state=0),
    "GB": lambda: GradientBoostingClassifier(random_state=0),
    "HGB": lambda: HistGradientBoostingClassifier(random_state=0),
    "XGBoost": lambda: xgboost.XGBClassifier(random_state=0),
    "LightGBM": lambda: lightgbm.LGBMClassifier(random_state=0, verbose=-1),
}


def tables() -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame, np.ndarray]]:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    order = np.random.default_rng(0).permutation(len(X))
    yield "breast cancer", X.iloc[order[:380]], X.iloc[order[380:]], y.to_numpy()[order[:380]]
    for name, load in (
        ("German credit", datasets.load_german_credit),
        ("Adult", datasets.load_adult),
    ):
        train, test, taught, _ = load().train_test()
        yield name, train, test, taught.to_numpy()


def encoded(model: Any, frame: pd.DataFrame) -> Any:
    numbers = frame.select_dtypes("number").columns
    if len(numbers) == frame.shape[1]:
        return model
    onehot = OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False)
    return make_pipeline(
        make_column_transformer(
            (StandardScaler(), numbers), (onehot, frame.columns.difference(numbers))
        ),
        model,
    )


def main(count: int = 30, *words: str) -> None:
    warnings.filterwarnings("ignore")
    print(
        f"{'data':<14}{'model':<12}{'leaves':>7} {'norm':<5}{'found':>6}{'exact':>6}"
        f"{'gap 50%':>9}{'gap 90%':>9}{'largest':>9}{'s/row':>7}"
    )
    for data, train, test, taught in tables():
        rows = test.iloc[:count].reset_index(drop=True)
        for name, make in MODELS.items():
            if words and not any(word in (name, data) for word in words):
                continue
            model = encoded(make(), train).fit(train, taught)
            for norm in ("linf", "l2"):
                space = Space.of(rows, Schema.infer(train), norm=norm, category=1.0)
                grid = _tree_attack.read(model, space, train.iloc[:500])
                if isinstance(grid, str):
                    raise SystemExit(grid)
                started = time.process_time()
                found = _tree_attack.attack(grid)
                spent = (time.process_time() - started) / count
                every = np.arange(count)
                flips = model.predict(space.decode(every, found.points)) != model.predict(rows)
                assert (flips == np.isfinite(found.upper)).all()
                gap = np.where(flips, found.upper / np.maximum(found.lower, 1e-12) - 1, np.inf)
                half, most = np.quantile(gap, [0.5, 0.9], method="higher")
                print(
                    f"{data:<14}{name:<12}{grid.trees.leaves:>7} {norm:<5}{flips.mean():>6.0%}"
                    f"{found.exact.mean():>6.0%}{half:>9.2%}{most:>9.2%}{gap.max():>9.2%}{spent:>7.2f}",
                    flush=True,
                )
            started = time.process_time()
            sure = _tree_attack.certify(grid, 0.25)
            spent = (time.process_time() - started) / count
            print(f"{'':<33} certified at 0.25: {sure.mean():.0%}, {spent:.3f} s a row")


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["30"])[0]), *sys.argv[2:])

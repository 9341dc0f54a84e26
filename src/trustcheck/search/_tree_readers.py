"""The trees of each library: where it keeps them, and how it compares and adds."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trustcheck.search._trees import Ensemble, Nodes

#: LightGBM drops values of this size (kZeroThreshold) from the rows it predicts.
_LIGHTGBM_ZERO = float(np.float32(1e-35))


def read(final: Any) -> Ensemble | str:
    """Return the trees of a fitted estimator, not yet checked, or why they cannot be read."""
    reader = _READERS.get((type(final).__module__.split(".")[0], type(final).__name__))
    if reader is None:
        return f"{type(final).__name__} is not a tree ensemble that can be read"
    if isinstance(getattr(final, "classes_", None), list):
        return "it has several outputs"
    return reader(final)


def raw(final: Any, native: Any) -> Any:
    """Return the library's own sums of leaves, shape (n,) or (n, outputs)."""
    library = type(final).__module__.split(".")[0]
    if library == "xgboost":
        return final.predict(native, output_margin=True)
    if library == "lightgbm":
        return final.predict(native, raw_score=True)
    if hasattr(final, "decision_function"):
        return final.decision_function(native)
    if hasattr(final, "classes_"):
        return final.predict_proba(native)
    if type(final).__name__.startswith("HistGradient"):
        return final._raw_predict(native)  # noqa: SLF001 - before the link, which predict applies
    return final.predict(native)


def quiet_raw(final: Any, native: Any) -> Any:
    """Return the same without remarks on the names of columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return raw(final, native)


def _join(trees: Sequence[Nodes]) -> tuple[Nodes, np.ndarray]:
    """Return the trees in one set of arrays, and their roots."""
    sizes = [len(tree.feature) for tree in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    moved = [
        tree._replace(left=tree.left + root, right=tree.right + root)
        for tree, root in zip(trees, roots, strict=True)
    ]
    return Nodes(*(np.concatenate(parts) for parts in zip(*moved, strict=True))), roots


def _nodes(
    feature: Any, threshold: Any, left: Any, right: Any, missing_left: Any, value: Any
) -> Nodes:
    """Return the nodes of a tree; leaves (no left child) become their own children."""
    left, right = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
    leaf = left < 0
    own = np.arange(len(left))
    value = np.asarray(value, dtype=float).reshape(len(left), -1)
    return Nodes(
        np.where(leaf, -1, np.asarray(feature, dtype=np.int64)),
        np.where(leaf, 0.0, np.asarray(threshold, dtype=float)),
        np.where(leaf, own, left),
        np.where(leaf, own, right),
        np.asarray(missing_left).astype(bool),
        np.where(leaf[:, None], value, 0.0),
    )


def _one_of(value: np.ndarray, output: int, outputs: int) -> np.ndarray:
    """Return one output's leaves as a column among zeros."""
    wide = np.zeros((len(value), outputs))
    wide[:, output] = value
    return wide


def _sklearn_tree(tree: Any, scale: float, *, shares: bool) -> Nodes:
    value = tree.value[:, 0, :]
    if shares:
        value = value / value.sum(axis=1, keepdims=True)
    return _nodes(
        tree.feature,
        tree.threshold,
        tree.children_left,
        tree.children_right,
        getattr(tree, "missing_go_to_left", np.zeros(tree.node_count, dtype=bool)),
        value * scale,
    )


def _forest(final: Any) -> Ensemble | str:
    if final.n_outputs_ != 1:
        return "it has several outputs"
    classes = len(final.classes_) if hasattr(final, "classes_") else 0
    inner = getattr(final, "estimators_", [final])
    trees = [_sklearn_tree(one.tree_, 1 / len(inner), shares=bool(classes)) for one in inner]
    nodes, roots = _join(trees)
    # Votes and other short binary fractions add up without rounding, as does a single leaf.
    exact = len(inner) == 1 or bool((nodes.value * len(inner) * 1024 % 1 == 0).all())
    return Ensemble(
        nodes, roots, np.zeros(max(classes, 1)), np.float32,
        classes=classes, exact=bool(classes) and exact,
    )  # fmt: skip


def _gradient_boosting(final: Any) -> Ensemble | str:
    outputs = final.estimators_.shape[1]
    trees = []
    for stage in final.estimators_:
        for k, one in enumerate(stage):
            tree = _sklearn_tree(one.tree_, final.learning_rate, shares=False)
            trees.append(tree._replace(value=_one_of(tree.value[:, 0], k, outputs)))
    nodes, roots = _join(trees)
    classes = len(final.classes_) if hasattr(final, "classes_") else 0
    return Ensemble(nodes, roots, np.zeros(outputs), np.float32, classes=classes)


def _histogram(final: Any) -> Ensemble | str:
    stages = final._predictors  # noqa: SLF001 - there is no public door
    outputs = len(stages[0])
    trees = []
    for stage in stages:
        for k, one in enumerate(stage):
            made = one.nodes
            if (made["is_categorical"] * (1 - made["is_leaf"])).any():
                return "it splits categories by itself; encode them in the pipeline"
            leaf = made["is_leaf"].astype(bool)
            trees.append(
                _nodes(
                    made["feature_idx"],
                    made["num_threshold"],
                    np.where(leaf, -1, made["left"].astype(np.int64)),
                    made["right"].astype(np.int64),
                    made["missing_go_to_left"],
                    _one_of(made["value"], k, outputs),
                )
            )
    nodes, roots = _join(trees)
    link = "log" if type(final._loss.link).__name__ == "LogLink" else "identity"  # noqa: SLF001
    classes = len(final.classes_) if hasattr(final, "classes_") else 0
    return Ensemble(nodes, roots, np.zeros(outputs), np.float64, classes=classes, link=link)


def _xgboost(final: Any) -> Ensemble | str:
    learner = json.loads(bytes(final.get_booster().save_raw("json")))["learner"]
    booster = learner["gradient_booster"]
    objective = learner["objective"]["name"]
    if booster["name"] not in ("gbtree", "dart"):
        return f"its booster is {booster['name']}, not trees"
    weights = booster.get("weight_drop")
    model = (booster["gbtree"] if booster["name"] == "dart" else booster)["model"]
    classes = len(final.classes_) if hasattr(final, "classes_") else 0
    outputs = classes if classes > 2 else 1
    best = getattr(final, "best_iteration", None) if _stopped_early(final) else None
    trees = []
    per_round = outputs * int(model["gbtree_model_param"]["num_parallel_tree"])
    for place, (made, group) in enumerate(zip(model["trees"], model["tree_info"], strict=True)):
        if best is not None and place >= (best + 1) * per_round:
            break
        if any(made["split_type"]):
            return "it splits categories by itself; encode them in the pipeline"
        if int(made["tree_param"]["size_leaf_vector"]) > 1:
            return "its leaves hold several outputs"
        value = np.array(made["split_conditions"], dtype=np.float32).astype(float)
        scale = 1.0 if weights is None else float(weights[place])
        trees.append(
            _nodes(
                made["split_indices"], value, made["left_children"], made["right_children"],
                made["default_left"], _one_of(value * scale, int(group), outputs),
            )
        )  # fmt: skip
    link = "log" if objective in ("count:poisson", "reg:gamma", "reg:tweedie") else "identity"
    nodes, roots = _join(trees)
    return Ensemble(
        nodes, roots, np.zeros(outputs), np.float32, strict=True, classes=classes, link=link
    )


def _stopped_early(final: Any) -> bool:
    try:
        return final.best_iteration is not None
    except AttributeError:
        return False


def _lightgbm(final: Any) -> Ensemble | str:
    model = final.booster_.dump_model(num_iteration=getattr(final, "best_iteration_", None) or -1)
    if final.get_params().get("linear_tree"):
        return "its leaves are linear models"
    classes = len(final.classes_) if hasattr(final, "classes_") else 0
    outputs = int(model["num_tree_per_iteration"])
    made = [tree["tree_structure"] for tree in model["tree_info"]]
    trees = []
    missing: set[str] = set()
    for place, top in enumerate(made):
        lines: list[tuple[Any, ...]] = []
        _walk(top, lines, missing)
        feature, threshold, left, right, missing_left, value = (
            np.array(part, dtype=float) for part in zip(*lines, strict=True)
        )
        if np.isnan(threshold).any():
            return "it splits categories by itself; encode them in the pipeline"
        columns = _one_of(value, place % outputs, outputs)
        trees.append(_nodes(feature, threshold, left, right, missing_left, columns))
    if "Zero" in missing:
        return "it takes 0 for a missing value"
    if len(missing) > 1:
        return "it treats missing values differently from column to column"
    objective = str(model.get("objective", "")).split(" ", maxsplit=1)[0]
    link = "log" if objective in ("poisson", "gamma", "tweedie") else "identity"
    nodes, roots = _join(trees)
    return Ensemble(
        nodes, roots, np.zeros(outputs), np.float64,
        missing_is_zero=missing == {"None"}, zero=_LIGHTGBM_ZERO, classes=classes, link=link,
    )  # fmt: skip


def _walk(top: dict[str, Any], lines: list[tuple[Any, ...]], missing: set[str]) -> None:
    """List a tree's nodes, parents first."""
    waiting = [(top, -1, 0)]
    while waiting:
        node, parent, side = waiting.pop()
        if parent >= 0:
            line = list(lines[parent])
            line[2 + side] = len(lines)
            lines[parent] = tuple(line)
        if "leaf_value" in node:
            lines.append((-1, 0.0, -1, -1, 0, node["leaf_value"]))
            continue
        threshold = node["threshold"] if node["decision_type"] == "<=" else np.nan
        missing.add(node["missing_type"])
        waiting += [(node["left_child"], len(lines), 0), (node["right_child"], len(lines), 1)]
        lines.append((node["split_feature"], threshold, 0, 0, node["default_left"], 0.0))


_FORESTS = ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees")
_READERS: dict[tuple[str, str], Callable[[Any], Ensemble | str]] = {
    **{
        (library, family + kind): reader
        for library, families, reader in (
            ("sklearn", _FORESTS, _forest),
            ("sklearn", ("GradientBoosting",), _gradient_boosting),
            ("sklearn", ("HistGradientBoosting",), _histogram),
        )
        for family in families
        for kind in ("Classifier", "Regressor")
    },
    ("xgboost", "XGBClassifier"): _xgboost,
    ("xgboost", "XGBRegressor"): _xgboost,
    ("xgboost", "XGBRFClassifier"): _xgboost,
    ("xgboost", "XGBRFRegressor"): _xgboost,
    ("lightgbm", "LGBMClassifier"): _lightgbm,
    ("lightgbm", "LGBMRegressor"): _lightgbm,
}

"""Attributions read off tree and linear models, folded back to the user's own columns."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.explain._encoded import encode, fold, require_scores
from trustcheck.search._pipeline import unwrap
from trustcheck.types import NotMeasurable

if TYPE_CHECKING:
    from trustcheck.explain._swap import Attributions, Swap

#: Attributes by which the families of tree models shap reads are known, without loading shap.
_TREES = ("tree_", "estimators_", "_predictors", "get_booster", "booster_", "calc_leaf_indexes")
#: Leaves visited (rows x donors x leaves x outputs) that take seconds, and in one call.
_WORK, _CALL = 200_000_000, 100_000_000
_FEW_DONORS = 20


def family(model: Any) -> str | None:
    """Return "tree" or "linear" by the estimator that decides, or None."""
    _, last = unwrap(model)
    if any(hasattr(last, name) for name in _TREES):
        return "tree"
    return "linear" if hasattr(last, "coef_") and hasattr(last, "intercept_") else None


def tree(swap: Swap, rng: np.random.Generator, *, patient: bool) -> Attributions:
    """Explain a tree model by interventional TreeSHAP against the donors (Lundberg et al. 2020).

    Parameters
    ----------
    swap : Swap
    rng : numpy Generator
    patient : bool
        Do it even where it takes long.

    Raises
    ------
    NotMeasurable
        With the reason why this cannot be done.
    """
    steps, last = unwrap(swap.subject.native)
    if family(last) != "tree":
        raise NotMeasurable(f"{type(last).__name__} is not a tree model")
    require_scores(swap)
    shap = _load_shap()
    rows, donors, owner = encode(swap, steps, rng)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"shap(\.|$)")
        try:
            with swap.subject.fitting():
                return _tree_shap(shap, swap, last, rows, donors, owner, patient=patient)
        except NotMeasurable:
            raise
        except Exception as fault:  # shap raises what it likes on models it does not know
            raise NotMeasurable(f"shap cannot read this {type(last).__name__}") from fault


def _load_shap() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it loads plotting libraries, which warn each other
        try:
            import shap
        except Exception as fault:  # a broken installation raises what it likes
            raise NotMeasurable(
                "shap cannot be loaded, so trees cannot be read (pip install trustcheck[explain])"
            ) from fault
    return shap


def _tree_shap(
    shap: Any,
    swap: Swap,
    model: Any,
    rows: np.ndarray,
    donors: np.ndarray,
    owner: np.ndarray,
    *,
    patient: bool,
) -> Attributions:
    classifies = swap.subject.task != "regression"
    explainer, log = _explainer(shap, model, donors[:_FEW_DONORS], classifies)
    leaves = (int(np.sum(explainer.model.num_nodes)) + 1) // 2 * np.size(explainer.expected_value)
    affordable = _WORK // max(leaves * len(rows), 1)
    if affordable < _FEW_DONORS and not patient:
        raise NotMeasurable(
            f"its trees have so many leaves ({leaves:,}) that exact attributions would take long"
        )
    donors = donors[: max(affordable, _FEW_DONORS)]
    explainer, log = _explainer(shap, model, donors, classifies)
    rows = _rank(explainer, rows)
    # Short calls: shap prints a progress bar during long ones.
    size = max(_CALL // (leaves * len(donors)), 1)
    parts = [
        np.asarray(explainer.shap_values(rows[i : i + size], check_additivity=False))
        for i in range(0, len(rows), size)
    ]
    phi, base = np.concatenate(parts), np.atleast_1d(explainer.expected_value)
    if phi.ndim == 2:
        phi, base = phi[:, :, None], base[:1]
    if classifies and phi.shape[2] == 1:  # the second class alone: the first is what is left
        first = (np.zeros_like(phi), np.zeros(1)) if log else (-phi, 1.0 - base)
        phi, base = np.concatenate([first[0], phi], axis=2), np.concatenate([first[1], base])
    return fold(swap, "tree", phi, base, owner, log=log)


def _explainer(shap: Any, model: Any, donors: np.ndarray, classifies: bool) -> tuple[Any, bool]:
    """Return the explainer, of probabilities where shap can, and whether it explains log-odds."""
    kind = {"data": donors, "feature_perturbation": "interventional"}
    if classifies:
        try:
            return shap.TreeExplainer(model, model_output="probability", **kind), False
        except NotImplementedError:  # boosted trees with several classes
            return shap.TreeExplainer(model, model_output="raw", **kind), True
    return shap.TreeExplainer(model, model_output="raw", **kind), False


def _rank(explainer: Any, rows: np.ndarray) -> np.ndarray:
    """Put ranks in place of thresholds and values, in the explainer and in the rows returned.

    shap holds thresholds in single precision. A value on a threshold, or between two that round
    to one, may take another path there, and the attributions do not add up to the model's
    output. Ranks are small integers, which single precision holds exactly; no path changes.
    """
    ensemble, kind = explainer.model, explainer.model.input_dtype
    if np.any(getattr(ensemble, "threshold_types", 0)):  # sets of levels have no rank
        return rows
    tables = [np.asarray(table).astype(kind).astype(float) for table in (rows, explainer.data)]
    inner = np.asarray(ensemble.children_left) >= 0
    for j in range(rows.shape[1]):
        nodes = inner & (ensemble.features == j)
        at = np.unique(ensemble.thresholds[nodes])
        for table in tables:
            known = ~np.isnan(table[:, j])
            table[known, j] = np.searchsorted(at, table[known, j]) - 0.5
        ensemble.thresholds[nodes] = np.searchsorted(at, ensemble.thresholds[nodes])
    explainer.data = tables[1]
    return tables[0]


def linear(swap: Swap, rng: np.random.Generator) -> Attributions:
    """Explain a linear model in closed form: weight x (value - mean of the donors).

    These are the Shapley values of a linear function (Strumbelj & Kononenko 2014). A classifier
    is explained by log-odds. Raises as :func:`tree`.
    """
    steps, last = unwrap(swap.subject.native)
    if family(last) != "linear":
        raise NotMeasurable(f"{type(last).__name__} is not a linear model")
    require_scores(swap)
    coef = last.coef_.toarray() if hasattr(last.coef_, "toarray") else last.coef_
    weights = np.atleast_2d(np.asarray(coef, dtype=float))
    intercept = np.broadcast_to(np.ravel(last.intercept_).astype(float), weights.shape[:1])
    log = swap.subject.task != "regression"
    if log and len(weights) == 1:
        weights = np.vstack([np.zeros_like(weights), weights])
        intercept = np.r_[0.0, intercept]
    rows, donors, owner = encode(swap, steps, rng)
    if weights.shape[1] != rows.shape[1]:
        raise NotMeasurable("its weights are not one per column")
    mean = donors.mean(axis=0)
    phi = (rows - mean)[:, :, None] * weights.T[None, :, :]
    return fold(swap, "linear", phi, weights @ mean + intercept, owner, log=log)

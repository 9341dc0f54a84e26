"""What a mitigation would change: the report of the subject with it, and gains and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck import _changes, _mitigation
from trustcheck._evaluate import evaluate
from trustcheck.probe import Probe
from trustcheck.runner import stream
from trustcheck.subject import Schema, Subject
from trustcheck.types import Findings, InputError, Report

if TYPE_CHECKING:
    import pandas as pd


def what_if(
    subject: Subject,
    fix: str | Callable[[Subject], Any] = "threshold",
    profile: Any = "default",
    *,
    by: str | Iterable[str] | None = None,
    constraint: str = "demographic_parity",
    objective: str = "accuracy_score",
    probes: Iterable[str | Probe] | str | Probe | None = None,
    before: Report | None = None,
    seed: int | None = None,
    **options: Any,
) -> Report:
    """Report on the subject with a mitigation applied, and on what that gains and costs.

    The mitigation is fitted on the reference (training) rows where they hold labels and the
    sensitive columns, else on a half of the given rows, and the report is about the other half:
    never on the rows it is judged on.

    Parameters
    ----------
    subject : Subject
        With a model, labels and sensitive columns.
    fix : {"threshold", "reweigh"} or callable
        ``"threshold"``: fairlearn's ``ThresholdOptimizer`` puts thresholds by group on the fitted
        model's scores (Hardt, Price & Srebro 2016); needs ``trustcheck[fairness]``.
        ``"reweigh"``: the model is fitted again with weights under which group and label are
        independent (Kamiran & Calders 2012). A function is given a subject of the rows to fit on
        and returns a model.
    profile : str, path, mapping or Profile
        Requirements to judge by.
    by : str or list of str
        Sensitive column the mitigation works on; a list means the intersection. The only one
        unless given.
    constraint, objective : str
        For ``"threshold"``, as in ``ThresholdOptimizer``: "demographic_parity",
        "equalized_odds", "true_positive_rate_parity" and so on; what to keep as high as can be.
    probes : list of str or Probe, optional
        As for ``evaluate``; all unless given.
    before : Report, optional
        The subject's own report under the same probes, if there is one: it saves measuring anew.
    seed : int, optional
        The subject's own unless given.
    **options
        ``n_jobs``, ``budget`` and ``show_progress`` of ``evaluate``.

    Returns
    -------
    Report
        Of the mitigated subject. Its finding ``fairness.mitigation`` compares: the headline is
        the change of accuracy (of the mean absolute error, for regression), its other metrics
        are the changes of largest gaps, and its detail rows (``to_frame()``) hold every headline
        before and after with the change and its interval.

    Raises
    ------
    InputError
        If the mitigation does not fit the subject; the message says what to do.

    Examples
    --------
    >>> import numpy as np, pandas as pd, trustcheck as tc
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"skill": rng.normal(size=2000), "sex": rng.integers(0, 2, 2000)})
    >>> y = (X["skill"] + X["sex"] + rng.normal(size=2000) > 0.5).astype(int)
    >>> model = LogisticRegression().fit(X[:1000], y[:1000])
    >>> subject = tc.Subject(
    ...     model, X[1000:], y[1000:], sensitive=["sex"], reference=(X[:1000], y[:1000])
    ... )
    >>> fixed = tc.what_if(subject, "reweigh", probes=["fairness.demographic_parity"])
    >>> found = fixed.findings["fairness.mitigation"]
    >>> found.metrics["fairness.demographic_parity[by=sex]"].high < 0
    True
    """
    columns = _columns(subject, by)
    seed = subject.seed if seed is None else int(seed)
    base, judged, notes = _parts(subject, columns, seed, grouped=not callable(fix))
    if callable(fix):
        name = str(getattr(fix, "__name__", type(fix).__name__))
        mitigated = _again(judged, fix(base), f"{subject.name}, {name}")
        params: dict[str, Any] = {"fix": name, "by": by}
    elif fix == "reweigh":
        model = _mitigation.reweighed(base, columns)
        mitigated = _again(judged, model, f"{subject.name}, reweighed by {' & '.join(columns)}")
        params = {"fix": fix, "by": columns}
        notes.append("The model was fitted again, on the rows to fit on alone.")
    elif fix == "threshold":
        cut = _mitigation.thresholds(
            base, columns, constraint=constraint, objective=objective, seed=seed
        )
        title = f"{subject.name}, thresholds by {' & '.join(columns)}"
        mitigated = _again(judged, cut, title, carry=columns)
        params = {"fix": fix, "by": columns, "constraint": constraint, "objective": objective}
        notes += _cautions(cut, mitigated, columns)
    else:
        raise InputError(
            f"fix={fix!r} is unknown: 'threshold', 'reweigh' or a function subject -> model"
        )
    if before is None:
        before = evaluate(judged, probes, profile, seed=seed, **options)
    elif before.subject.get("data_sha256") != judged.card()["data_sha256"]:
        raise InputError(
            "before= is a report of other rows: without reference data that holds labels and the"
            " sensitive columns the comparison is made on half of the rows; leave before= out"
        )
    after = evaluate(mitigated, probes, profile, seed=seed, **options)
    asked = _changes.comparison(judged, before, after, tuple(notes)).using(**params)
    found = asked.run(mitigated, seed=seed)
    return replace(after, findings=Findings((*after.findings.values(), found)))


def _columns(subject: Subject, by: str | Iterable[str] | None) -> tuple[str, ...]:
    if by is not None:
        return (by,) if isinstance(by, str) else tuple(by)
    if len(subject.sensitive) != 1:
        raise InputError(
            "what_if needs by=: this subject has"
            f" {'no sensitive columns' if not subject.sensitive else 'several sensitive columns,'}"
            f" {', '.join(subject.sensitive)}".rstrip()
        )
    return subject.sensitive


# Rows to fit on, rows to judge by ------------------------------------------------------------


def _parts(
    subject: Subject, by: tuple[str, ...], seed: int, *, grouped: bool
) -> tuple[Subject, Subject, list[str]]:
    """Return a subject of the rows to fit on, one of the rows to judge by, and what to know."""
    if subject.native is None:
        raise InputError(
            "a mitigation needs the model: these are predictions alone; use tc.Subject(model, X, y)"
        )
    if "labels" not in subject.offers():
        raise InputError("a mitigation needs labels of the given rows, to tell what it costs")
    subject.groups(by)  # refuses unknown columns
    lacking = _lacking(subject, by, grouped=grouped)
    if lacking is None:
        n = subject.reference.n
        return (
            _of_reference(subject),
            subject,
            [f"Fitted on the {n:,} reference rows, compared on the {subject.n:,} given rows."],
        )
    order = subject.sample(subject.n, stream(seed, "what_if"))
    fit, rest = _halves(order, subject.clusters)
    if not len(fit) or not len(rest):
        raise InputError("half of the rows are needed to fit on, and they cannot be halved")
    note = (
        f"{lacking}, so it was fitted on a random half of the given rows ({len(fit):,}) and is"
        f" compared on the other {len(rest):,}."
    )
    return _some(subject, fit), _some(subject, rest), [note]


def _lacking(subject: Subject, by: tuple[str, ...], *, grouped: bool) -> str | None:
    """Say why the reference cannot be fitted on."""
    offered = subject.offers()
    if "reference" not in offered:
        return "There is no reference data"
    if "reference_labels" not in offered:
        return "The reference has no labels"
    absent = [column for column in by if column not in subject.reference.frame.columns]
    if grouped and absent:
        return f"The reference has no column {', '.join(map(repr, absent))}"
    return None


def _halves(order: np.ndarray, clusters: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Cut rows in two; those that belong together stay so."""
    if clusters is None:
        return order[: len(order) // 2], order[len(order) // 2 :]
    first = np.unique(clusters[order], return_index=True)[1]
    chosen = clusters[order][np.sort(first)][: len(first) // 2]
    inside = np.isin(clusters[order], chosen)
    return order[inside], order[~inside]


def _again(
    subject: Subject, model: Any, name: str, *, carry: tuple[str, ...] | None = None
) -> Subject:
    """Return the subject under another model; ``carry`` names groups that this one reads."""
    frame, features, schema = subject.data.frame, list(subject.features), subject.schema
    beside: Any = subject.reference.frame if "reference" in subject.offers() else None
    if carry is None:
        new: list[str] = []
        frame, beside = subject.own(frame), None if beside is None else subject.own(beside)
    else:
        new = [column for column in carry if column not in features]
        frame = _mitigation.carried(subject, frame, carry)
        if beside is not None and not set(new) <= set(beside.columns):
            beside = None  # it lacks the group, which this model reads
        schema = _with(schema, (frame if beside is None else beside)[new])
    own = getattr(model, "feature_names_in_", None) is not None and carry is None
    reference = beside
    if beside is not None and subject.reference.has_truth:
        reference = (beside, _labels(subject, subject.reference.truth))
    return Subject(
        model,
        frame,
        _labels(subject, subject.truth),
        features=None if own else [*features, *new],
        schema=None if own and not _reads(model, features) else schema,
        reference=reference,
        name=name,
        **_facts(subject, np.arange(subject.n)),
    )


def _reads(model: Any, features: list[str]) -> bool:
    return [str(name) for name in model.feature_names_in_] == features


def _with(schema: Schema, new: pd.DataFrame) -> Schema:
    more = Schema.infer(new).values() if len(new.columns) else ()
    return Schema([*schema.values(), *more], schema.relations, schema.one_hot)


def _some(subject: Subject, rows: np.ndarray) -> Subject:
    """Return a subject of some of the given rows."""
    rows = np.sort(rows)
    reference = None
    if "reference" in subject.offers():
        side = subject.reference
        reference = subject.own(side.frame)
        if side.has_truth:
            reference = (reference, _labels(subject, side.truth))
    return Subject(
        subject.native,
        subject.own(subject.data.frame.iloc[rows].reset_index(drop=True)),
        _labels(subject, subject.truth[rows]),
        features=subject.features,
        schema=subject.schema,
        reference=reference,
        name=subject.name,
        **_facts(subject, rows),
    )


def _of_reference(subject: Subject) -> Subject:
    """Return a subject of the reference rows."""
    side = subject.reference
    held = [column for column in subject.sensitive if column in side.frame.columns]
    facts = _facts(subject, np.arange(0))
    facts |= dict.fromkeys(("sample_weight", "cluster", "time"))
    facts["sensitive"] = side.frame[held] if held else None
    return Subject(
        subject.native,
        subject.own(side.frame),
        _labels(subject, side.truth),
        features=subject.features,
        schema=subject.schema,
        name=f"{subject.name}, reference",
        **facts,
    )


def _facts(subject: Subject, rows: np.ndarray) -> dict[str, Any]:
    """Return what else a Subject is told, for some of the rows."""

    def of(values: Any) -> Any:
        return None if values is None else np.asarray(values)[rows]

    return {
        "sensitive": subject.sensitive_columns.iloc[rows].reset_index(drop=True),
        "classes": subject.classes or None,
        "positive": subject.positive,
        "task": subject.task,
        "sample_weight": of(subject.weights),
        "cluster": of(subject.clusters),
        "time": of(subject.time),
        "seed": subject.seed,
        "context": subject.context,
    }


def _labels(subject: Subject, codes: np.ndarray) -> np.ndarray:
    return codes if subject.task == "regression" else np.array(subject.classes)[codes]


def _cautions(
    cut: _mitigation.GroupThresholds, mitigated: Subject, by: tuple[str, ...]
) -> list[str]:
    chance = cut.chances(mitigated.X)
    if np.isnan(chance).all():
        raise InputError(
            f"no given row is of a group that the rows to fit on know; spell {' and '.join(by)} alike"
            " in both"
        )
    notes = [
        f"The mitigated model reads {' and '.join(map(repr, by))} to decide; it gives no scores."
    ]
    drawn = float(((chance > 0) & (chance < 1)).mean())
    if drawn > 0:
        notes.append(
            f"{drawn:.1%} of the rows are decided by a draw that depends on the row alone."
        )
    unseen = int(np.isnan(chance).sum())
    if unseen:
        notes.append(f"{unseen:,} rows of groups not seen in fitting keep the model's own answer.")
    if mitigated.has_weights:
        notes.append("The thresholds were chosen without sample weights.")
    return notes

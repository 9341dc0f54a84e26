"""The subject: one model and its data, asked once and shared by every probe."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from trustcheck.runner import stream
from trustcheck.stats import counts as count_tables
from trustcheck.subject import _card, _encode, _groups, _labels, _table
from trustcheck.subject._asking import NO_MODEL, Asker
from trustcheck.subject._context import Context
from trustcheck.subject._model import Model, check_scores
from trustcheck.subject._schema import Schema
from trustcheck.subject._shared import Shared
from trustcheck.subject._side import Side, Table
from trustcheck.subject._taken import Taken, take
from trustcheck.types import InputError, NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

#: Perturbed rows all probes of a default run may send, as a multiple of the given rows; with the
#: shared pass over data and reference, a run stays below 40 rows per row.
DEFAULT_BUDGET = 30
#: Reference rows the model is asked about: all, unless they exceed both of these.
REFERENCE_SHARE, REFERENCE_ROWS = 3, 6_000

_WHY_MISSING = {
    "labels": "no labels were given (y)",
    "predictions": "there are no predictions",
    "scores": "the model gives no probabilities (predict_proba)",
    "features": "no feature table was given (X)",
    "model": NO_MODEL,
    "fit": "the model cannot be fitted anew (that takes fit and get_params)",
    "groups": "no sensitive columns were named (sensitive=)",
    "reference": "no reference data was given (reference=)",
    "reference_labels": "the reference data has no labels (reference=(X, y))",
}


class Subject:
    """A fitted model, its data and what is known about both.

    Parameters
    ----------
    model : object
        Anything with ``predict`` and/or ``predict_proba``, or a callable: a 2-D return is read
        as probabilities in the order of ``classes``, a 1-D one as predictions.
    X : table, shape (n, columns)
        Rows to test on. May hold columns the model does not read (sensitive ones, say).
    y : array-like, shape (n,), optional
        True labels or numbers.
    sensitive : list of str, or table, optional
        Names of columns of ``X``, or columns kept outside it, that form groups of people.
    reference : table or (table, array-like), optional
        The training data: scales, donors, privacy, baselines.
    features : list of str, optional
        Columns the model reads; by default its ``feature_names_in_``, else all columns of ``X``.
    classes : sequence, optional
        Order of a callable's probability columns.
    positive : label, optional
        The positive class of a binary task; by default the larger in sort order.
    task : {"binary", "multiclass", "regression"}, optional
        Told from the model and the labels unless given.
    sample_weight : array-like, shape (n,), optional
        At least 0; what each row stands for.
    cluster : array-like, shape (n,), or column name, optional
        Rows with one value belong together (one person, one household).
    time : array-like, shape (n,), or column name, optional
        When each row was observed.
    schema : Schema or dict, optional
        A whole schema, or changes to the inferred one: ``{"age": {"immutable": True}}``.
    seed : int
        Every random draw comes from it.
    name : str, optional
        Shown on the report.
    context : Context, optional
        What no table shows.

    Raises
    ------
    InputError
        If the model or the data cannot be used; the message says what to do.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> y = [0, 0, 1, 1]
    >>> subject = Subject(LogisticRegression().fit(X, y), X, y)
    >>> subject.task, subject.positive, sorted(subject.offers())
    ('binary', 1, ['features', 'fit', 'labels', 'model', 'predictions', 'scores'])
    """

    def __init__(
        self,
        model: Any,
        X: Any,
        y: Any = None,
        *,
        sensitive: Any = None,
        reference: Any = None,
        features: Iterable[str] | None = None,
        classes: Iterable[Any] | None = None,
        positive: Any = None,
        task: str | None = None,
        sample_weight: Any = None,
        cluster: Any = None,
        time: Any = None,
        schema: Any = None,
        seed: int = 0,
        name: str | None = None,
        context: Context | None = None,
    ) -> None:
        frame, form = _table.to_frame(X)
        adapter = Model(model, form=form, names=_table.own_names(X))
        taken = take(
            adapter, frame, y, sensitive=sensitive, reference=reference, features=features,
            classes=classes, positive=positive, task=task, sample_weight=sample_weight,
            cluster=cluster, time=time, schema=schema,
        )  # fmt: skip
        self._settle(adapter, taken, seed=seed, name=name or adapter.name, context=context)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        y_proba: Any = None,
        *,
        X: Any = None,
        sensitive: Any = None,
        reference: Any = None,
        sample_weight: Any = None,
        positive: Any = None,
        name: str | None = None,
        classes: Iterable[Any] | None = None,
        task: str | None = None,
        cluster: Any = None,
        seed: int = 0,
    ) -> Subject:
        """Wrap predictions made elsewhere; probes that must ask the model are skipped.

        Parameters
        ----------
        y_true : array-like, shape (n,), or None
            True labels or numbers.
        y_pred : array-like, shape (n,)
            Predicted labels or numbers.
        y_proba : array-like, shape (n,) or (n, classes), optional
            Probabilities: of the positive class, or of every class in sorted order.
        X, sensitive, reference, sample_weight, positive, name
            As for :class:`Subject`.

        Examples
        --------
        >>> subject = Subject.from_predictions(
        ...     [0, 1, 1], [0, 1, 0], sensitive={"sex": ["f", "m", "f"]}
        ... )
        >>> subject.sensitive, subject.n
        (('sex',), 3)
        """
        import pandas as pd

        guess = np.asarray(y_pred)
        n = len(guess)
        given = pd.DataFrame(index=range(n)) if X is None else _table.to_frame(X)[0]
        own = y_pred.index if isinstance(y_pred, (pd.Series, pd.DataFrame)) else None
        index = given.index if X is not None else own
        if n == 0:
            raise InputError("y_pred has no rows; trustcheck needs at least one")
        predicted = _table.to_vector(y_pred, n, what="y_pred", index=index)
        taken = take(
            None, given, y_true, sensitive=sensitive, reference=reference, classes=classes,
            positive=positive, task=task, sample_weight=sample_weight, cluster=cluster,
            predicted=predicted, index=index,
        )  # fmt: skip
        self = cls.__new__(cls)
        self._settle(None, taken, seed=seed, name=name or "predictions", context=None)
        answers = self._data.answers
        if self.task == "regression":
            answers["predictions"] = _labels.numbers(predicted, what="y_pred")
            answers["scores"] = None
            return self
        answers["predictions"] = _labels.encode(predicted, self._coding.classes, what="y_pred")
        answers["scores"] = None
        if y_proba is not None:
            scores = np.asarray(y_proba, dtype=float)
            if scores.ndim == 1 and self.task == "binary" and self.positive_code == 0:
                scores = 1.0 - scores
            answers["scores"] = self._asker.pad(check_scores(scores, self._coding.known))
        return self

    def _settle(
        self, model: Model | None, taken: Taken, *, seed: int, name: str, context: Context | None
    ) -> None:
        self._model = model
        self._taken = taken
        self._data, self._reference, self._coding = taken.data, taken.reference, taken.coding
        self._asker = Asker(model, taken.coding)
        self.features = taken.features
        self.seed = int(seed)
        self.name = str(name)
        self.context = context or Context()
        self._counts: dict[Any, Any] = {}
        self._budget: int | None = None
        self._shared = Shared()
        self._parts: dict[int, Table] = {}

    # What it is -----------------------------------------------------------------------------

    @property
    def n(self) -> int:
        """Rows of the given data."""
        return self._data.n

    @property
    def classes(self) -> tuple[Any, ...]:
        """Class labels; codes in ``truth`` and ``predictions`` are positions in it."""
        return tuple(self._coding.classes)

    @property
    def task(self) -> str:
        """One of "binary", "multiclass", "regression"."""
        return self._coding.task

    @property
    def positive(self) -> Any:
        """The positive class of a binary task, else None."""
        return self._coding.positive

    @property
    def positive_code(self) -> int:
        """Its position in ``classes``."""
        return self._coding.positive_code

    @property
    def sensitive(self) -> tuple[str, ...]:
        """Names of the sensitive columns."""
        return tuple(str(name) for name in self._taken.groups.columns)

    @property
    def sensitive_columns(self) -> pd.DataFrame:
        """The sensitive columns of the given rows, as they were given."""
        return self._taken.groups

    @property
    def schema(self) -> Schema:
        """Kinds, ranges and scales of the features, from the reference where there is one."""
        return self._taken.schema

    @property
    def has_weights(self) -> bool:
        """Whether rows carry weights."""
        return self._taken.weights is not None

    @property
    def has_clusters(self) -> bool:
        """Whether rows belong together in clusters."""
        return self._taken.clusters is not None

    @property
    def weights(self) -> np.ndarray | None:
        """Sample weights, shape (n,), or None."""
        return self._taken.weights

    @property
    def clusters(self) -> np.ndarray | None:
        """Cluster codes, shape (n,), or None."""
        return self._taken.clusters

    @property
    def time(self) -> Any:
        """When each row was observed, shape (n,), or None."""
        return self._taken.time

    @property
    def model_name(self) -> str:
        """Class of the model, as a report prints it."""
        return "predictions alone" if self._model is None else self._model.name

    @property
    def native(self) -> Any:
        """The user's own model object; None for predictions alone."""
        return None if self._model is None else self._model.native

    @property
    def takes_arrays(self) -> bool:
        """Whether the user's table has no column names, so that the model is sent arrays."""
        return self._model is not None and self._model.form in (
            _table.Form.ARRAY,
            _table.Form.SPARSE,
        )

    def own(self, frame: pd.DataFrame) -> Any:
        """Return rows in the form, and under the column names, of the user's own table."""
        model = self._model
        return frame if model is None else _table.send(frame, model.form, model.names)

    @property
    def data(self) -> Side:
        """The given rows and the model's answers to them."""
        return Side(self, self._data)

    @property
    def reference(self) -> Side:
        """The reference rows and the model's answers to them."""
        if self._reference is None:
            raise NotMeasurable(self.why_missing("reference"))
        return Side(self, self._reference)

    @property
    def reference_sample(self) -> Side:
        """The reference rows the model is asked about: all, or a sample of a large reference.

        Its ``predictions`` and ``scores`` cost at most three rows per given row (or 6,000 rows),
        so that a training table a thousand times the size of the test costs no more.
        """
        whole, source = self.reference, self._reference
        size = max(REFERENCE_SHARE * self.n, REFERENCE_ROWS)
        if whole.n <= size:
            return whole
        if self.seed not in self._parts:
            assert source is not None
            chosen = whole.sample(size, stream(self.seed, "reference_sample"))
            self._parts.setdefault(self.seed, source.part(chosen))
        return Side(self, self._parts[self.seed])

    @property
    def X(self) -> pd.DataFrame:  # noqa: N802
        """The columns the model reads."""
        return self.data.X

    @property
    def truth(self) -> np.ndarray:
        """True classes as codes, or true numbers, shape (n,)."""
        return self.data.truth

    @property
    def predictions(self) -> np.ndarray:
        """Predicted classes as codes, or predicted numbers, shape (n,)."""
        return self.data.predictions

    @property
    def scores(self) -> np.ndarray:
        """Predicted probabilities, shape (n, classes)."""
        return self.data.scores

    def sample(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return positions of up to ``size`` given rows, whatever the order of the table."""
        return self.data.sample(size, rng)

    def offers(self) -> frozenset[str]:
        """Name what is available, for probes to state their needs in."""
        found = {"predictions"}
        if self._data.frame is not None:
            found.add("features")
        if self._data.truth is not None:
            found.add("labels")
        if self._model is not None:
            found.add("model")
            if hasattr(self.native, "fit") and hasattr(self.native, "get_params"):
                found.add("fit")
        if self._asker.has_scores(self._data):
            found.add("scores")
        if self.sensitive:
            found.add("groups")
        if self._reference is not None:
            found.add("reference")
            if self._reference.truth is not None:
                found.add("reference_labels")
        return frozenset(found | self.context.offers())

    def why_missing(self, need: str) -> str:
        """Say in plain words what is missing and how to give it."""
        return _WHY_MISSING.get(need, f"the context has no {need} (context=tc.Context({need}=...))")

    # Asking the model -----------------------------------------------------------------------

    def view(self, seed: int | None = None) -> Subject:
        """Return this subject with a meter of its own; data and cached answers are shared."""
        seen = copy.copy(self)
        seen._asker = self._asker.metered()  # noqa: SLF001 - its own kind
        seen.seed = self.seed if seed is None else seed
        return seen

    def shared(self, key: str, compute: Callable[[Subject, np.random.Generator], T]) -> T:
        """Return what several probes need, computed once, whichever of them asks first.

        Parameters
        ----------
        key : str
            Names what is computed and everything it depends on.
        compute : callable
            Given this subject and a random stream that depends on the seed and ``key`` only, so
            that no probe's numbers depend on the others. Its subject counts rows for whoever
            asked first, so what is returned must not hold it.
        """
        full = (key, self.seed, self._budget)
        return self._shared.get(full, lambda: compute(self, stream(self.seed, key)))

    def with_budget(self, rows: int | None) -> Subject:
        """Return this subject with a limit on the rows probes may send beyond the shared pass."""
        seen = copy.copy(self)
        seen._budget = rows  # noqa: SLF001 - its own kind
        return seen

    def allowance(self, share: float) -> int:
        """Return how many perturbed rows a probe may send.

        Parameters
        ----------
        share : float
            What it would like, as a multiple of the given rows. Scaled down where the user's
            budget is below the default of 30 perturbed rows per given row.
        """
        scale = 1.0 if self._budget is None else self._budget / (DEFAULT_BUDGET * self.n)
        return int(share * self.n * min(scale, 1.0))

    def rows_sent(self) -> dict[str, int]:
        """Rows sent to the model so far, by purpose."""
        return dict(self._asker.meter.rows)

    def calls_made(self) -> dict[str, int]:
        """Calls of the model so far, by purpose."""
        return dict(self._asker.meter.calls)

    def latency(self) -> dict[str, float]:
        """How long the model took to answer so far: one row alone, and per row in bulk."""
        return self._asker.meter.latency()

    @property
    def model_seconds(self) -> float:
        """Seconds spent inside the model so far."""
        return self._asker.meter.seconds

    @property
    def library_seconds(self) -> float:
        """Seconds spent so far in shap and in estimators fitted by probes."""
        return self._asker.meter.library_seconds

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Fit an estimator or run shap: on one thread, and timed for the report."""
        started = time.perf_counter()
        try:
            with _encode.one_thread():
                yield
        finally:
            self._asker.meter.add_library(time.perf_counter() - started)

    def answer(self, what: str, table: Table) -> np.ndarray | None:
        """Return cached "predictions" or "scores" of a table, asking the model at most once."""
        return self._asker.answer(what, table)

    def predict(self, X: pd.DataFrame, *, purpose: str = "perturbed") -> np.ndarray:
        """Ask for predictions of other rows: class codes, or numbers, shape (len(X),)."""
        answer = self._asker.ask(X, "predictions", purpose)["predictions"]
        assert answer is not None
        return answer

    def predict_proba(self, X: pd.DataFrame, *, purpose: str = "perturbed") -> np.ndarray:
        """Ask for probabilities of other rows, shape (len(X), classes)."""
        answer = self._asker.ask(X, "scores", purpose, alone=True)["scores"]
        if answer is None:
            raise NotMeasurable(self.why_missing("scores"))
        return answer

    def predict_spread(self, X: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Ask for numbers with the standard deviation the model states, shapes (len(X),).

        Raises
        ------
        NotMeasurable
            If its ``predict`` takes no ``return_std``.
        """
        if self._model is None or not self._model.states_spread:
            raise NotMeasurable(
                "the model states no uncertainty: its predict takes no return_std=True; name columns"
                " of X that hold the ends of its intervals (lower=, upper=)"
            )
        return self._model.ask_spread(X, self._asker.meter)

    def standing_in(self, model: Any) -> Subject:
        """Return this subject with another fitted model to ask about other rows.

        The model speaks of the same columns and classes: a copy, or a refit. What the given model
        answered about the given rows is kept; rows sent to the other are not counted as sent to it.
        """
        if self._model is None:
            raise NotMeasurable(NO_MODEL)
        seen = copy.copy(self)
        seen._model = Model(model, form=self._model.form, names=self._model.names)  # noqa: SLF001 - its own kind
        seen._asker = Asker(seen._model, self._coding)  # noqa: SLF001 - as above
        return seen

    def output(self, X: pd.DataFrame, *, purpose: str = "perturbed") -> np.ndarray:
        """Return one number per row and class: probabilities, one-hot labels, or the prediction.

        Shape (len(X), classes), or (len(X), 1) for regression.
        """
        if self.task == "regression":
            return self.predict(X, purpose=purpose)[:, None]
        if "scores" in self.offers():
            return self.predict_proba(X, purpose=purpose)
        return np.eye(len(self.classes))[self.predict(X, purpose=purpose)]

    # Sufficient statistics ------------------------------------------------------------------

    def groups(self, by: str | Iterable[str]) -> _groups.Groups:
        """Return each row's group; a list of columns means their intersection."""
        columns = (by,) if isinstance(by, str) else tuple(by)
        if columns not in self._counts:
            self._counts[columns] = _groups.group(self._taken.groups, columns)
        found: _groups.Groups = self._counts[columns]
        return found

    def counts(self, by: str | Iterable[str], *, labels: bool = True) -> count_tables.CountTable:
        """Return the count table group x label x prediction (classification only).

        Without ``labels`` the label axis has length 1, and no labels are needed.
        """
        groups = self.groups(by)
        key = (groups.by, labels)
        if key not in self._counts:
            classes = len(self._coding.classes)
            truth = self.truth if labels else np.zeros(self.n, dtype=np.int64)
            self._counts[key] = count_tables.count(
                groups.codes, truth, self.predictions,
                (len(groups.names), classes if labels else 1, classes),
                weight=self._taken.weights, cluster=self._taken.clusters,
            )  # fmt: skip
        table: count_tables.CountTable = self._counts[key]
        return table

    def printable_level(self, column: str, level: Any) -> str:
        """Return the name under which a level of a column may be printed; see HOUSE rules."""
        source = self._reference or self._data
        assert source.frame is not None
        return _groups.printable_level(
            source.frame[column], level, sensitive=column in self.sensitive
        )

    def suspects(self) -> list[str]:
        """Say which columns of the given data hold what models often cannot take."""
        frame = self._data.frame
        if frame is None:
            return []
        found = _table.suspects(frame[self.features])
        past = None if self._reference is None else self._reference.frame
        if past is not None:
            found += _table.changed_kinds(frame[self.features], past[self.features])
        return found

    def card(self) -> dict[str, Any]:
        """Return names, shapes and hashes: what a report says about its subject."""
        return _card.card(self, self._data, self._reference)

    def __repr__(self) -> str:
        what = f", positive class {self.positive!r}" if self.positive is not None else ""
        return f"<Subject {self.name}: {self.task}{what}, {self.n} rows, {len(self.features)} features>"

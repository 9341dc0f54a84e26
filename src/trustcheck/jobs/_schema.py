"""What a job file may say: every key, its kind, and what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Text = Annotated[str, Field(min_length=1)]
Columns = list[Text]
Label = str | int | float | bool


class Part(BaseModel):
    """A table of the file: nothing but the keys below, and values of their very kind."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Model(Part):
    """The model: a file, or something to import."""

    path: Text | None = Field(default=None, description="A .skops, .onnx, .joblib or .pkl file.")
    import_: str | None = Field(
        default=None,
        alias="import",
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="package.module:name of a model, or of a function that returns one.",
    )
    allow_pickle: bool = Field(
        default=False, description="Load joblib and pickle files: this runs their maker's code."
    )
    trust: Columns = Field(
        default=[], description="Types that skops may load although it does not know them."
    )
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-fA-F]{64}$", description="The file must have this hash."
    )
    classes: list[Label] | None = Field(
        default=None, description="Order of the probability columns of a function or an ONNX model."
    )

    @model_validator(mode="after")
    def _one(self) -> Model:
        if (self.path is None) == (self.import_ is None):
            raise ValueError("give either path or import")
        if self.sha256 is not None and self.path is None:
            raise ValueError("sha256 belongs to a model given by path")
        return self


class Rows(Part):
    """A table: a file, or a query."""

    path: Text | None = Field(default=None, description="A .parquet or .csv file.")
    url: Text | None = Field(
        default=None,
        description="Of a database, as SQLAlchemy reads it; take the password from ${NAME}.",
    )
    query: Text | None = Field(default=None, description="SQL whose result is the table.")

    @model_validator(mode="after")
    def _one(self) -> Rows:
        if (self.path is None) == (self.url is None):
            raise ValueError("give either path, or url and query")
        if (self.url is None) != (self.query is None):
            raise ValueError("url and query belong together")
        return self


class Data(Rows):
    """The rows to test on, and what their columns are."""

    target: Text | None = Field(default=None, description="Column of the true labels.")
    sensitive: Columns = Field(default=[], description="Columns that form groups of people.")
    features: Columns | None = Field(default=None, description="Columns the model reads.")
    positive: Label | None = Field(default=None, description="The positive class.")
    task: Literal["binary", "multiclass", "regression"] | None = None
    weight: Text | None = Field(default=None, description="Column of sample weights.")
    cluster: Text | None = Field(default=None, description="Rows with one value belong together.")
    time: Text | None = Field(default=None, description="Column of when each row was observed.")


class Reference(Rows):
    """The training data, with the same columns."""


class Context(Part):
    """What no table shows."""

    documents: Text | None = Field(default=None, description="Register of documents (TOML).")
    costs: list[list[Annotated[float, Field(ge=0)]]] | None = Field(
        default=None,
        description="Cost of each error: rows are true classes, columns predicted ones.",
    )
    decisions: Text | None = Field(
        default=None, description="Log of what people decided: .parquet or .csv."
    )
    rules: list[dict[str, Any]] | None = Field(
        default=None, description="Behaviour the model has to show; see safety.behaviour."
    )
    guard: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="package.module:function.",
    )


class Outputs(Part):
    """Where the report goes; {date} and {key} are filled in."""

    html: Text | None = None
    json_: Text | None = Field(default=None, alias="json")
    junit: Text | None = Field(
        default=None, description="JUnit XML, one test case per requirement."
    )
    markdown: Text | None = Field(default=None, description="The whole report as Markdown.")
    model_card: Text | None = Field(
        default=None, alias="model-card", description="A model card in Markdown."
    )
    summary: Text | None = Field(
        default=None,
        description="A short summary in Markdown, appended, as ${GITHUB_STEP_SUMMARY} wants it.",
    )


class History(Part):
    """Where runs are remembered."""

    store: Text = Field(description="A path (SQLite), or a postgresql:// URL.")
    key: Text | None = Field(
        default=None,
        description="What this run stands for, e.g. ${DAY}: a second run with it is not counted."
        " By default a fingerprint of the report's content.",
    )


class Ratchet(Part):
    """Not clearly worse than the accepted run of the history, or than a saved report."""

    against: Text = Field(
        default="accepted",
        description="'accepted' (the first run that passed, until another is accepted), or a report"
        " saved as JSON.",
    )
    worse_by: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="How much worse a number may be, in its own unit."
    )
    limits: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={}, description="The same for single findings, by key."
    )


class Monitor(Rows):
    """An alarm over the days, whose false alarms are held to alpha over the whole horizon.

    Its path (or url and query) names rows that later ones are expected to be like: held-out ones,
    because a model's losses on its training rows are too small.
    """

    name: Text | None = Field(
        default=None, description="Kept under this name; the job's unless given."
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05, description="Chance of a false alarm within the horizon."
    )
    horizon: Annotated[int, Field(ge=1)] = Field(default=365, description="Looks it has to last.")


class Job(Part):
    """A job file of trustcheck."""

    name: Text = Field(
        default="", description="Of the job in history and reports; the file's name unless given."
    )
    model: Model
    data: Data
    reference: Reference | None = None
    context: Context = Field(default_factory=Context)
    profile: Text = Field(default="default", description="A shipped name, or a TOML file.")
    probes: Columns | None = Field(
        default=None, description="Pillars or probe ids; all unless given."
    )
    seed: int = Field(default=0, description="Every random draw comes from it.")
    workers: Annotated[int, Field(ge=-1)] = Field(
        default=1, description="The numbers do not depend on it."
    )
    budget: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Most rows to send to the model beyond the given ones."
    )
    strict: bool = Field(default=False, description="Inconclusive counts as a failure.")
    outputs: Outputs = Field(default_factory=Outputs)
    history: History | None = None
    ratchet: Ratchet | None = None
    monitor: Monitor | None = None

    _folder: Path = Path()

    @model_validator(mode="after")
    def _together(self) -> Job:
        if self.monitor is not None and self.history is None:
            raise ValueError("[monitor] needs [history] to remember what it saw")
        if self.ratchet is not None and self.ratchet.against == "accepted" and self.history is None:
            raise ValueError("[ratchet] needs [history], or against = a report saved as JSON")
        return self


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a job file."""
    made = Job.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}

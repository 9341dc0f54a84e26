"""``trustcheck demo``: audit a real model on real data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trustcheck.cli._options import add_run_options, write


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "demo",
        help="audit a gradient-boosting model on real data",
        description="Fits a gradient-boosting pipeline on data that ships with trustcheck and"
        " audits it. Exits with 0 whenever a report was made, whatever its verdict.",
    )
    parser.add_argument("--data", choices=["adult", "german"], default="adult")
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Fit, audit, write."""
    import trustcheck as tc
    from trustcheck import datasets

    load = {"adult": datasets.load_adult, "german": datasets.load_german_credit}
    data = load[arguments.data]()
    X_train, X_test, y_train, y_test = data.train_test()
    model = boosted_pipeline(X_train).fit(X_train, y_train)
    subject = tc.Subject(
        model,
        X_test,
        y_test,
        sensitive=list(data.sensitive),
        reference=(X_train, y_train),
        positive=data.positive,
        seed=arguments.seed,
        name=f"gradient boosting on {data.name}",
    )
    report = tc.evaluate(
        subject,
        probes=arguments.probes,
        profile=arguments.profile,
        n_jobs=arguments.jobs,
        show_progress=False if arguments.quiet else None,
    )
    folder = Path("reports")
    outputs = arguments.out or [folder / f"{arguments.data}.{end}" for end in ("html", "json")]
    write(report, outputs, quiet=arguments.quiet)
    return 0


def boosted_pipeline(X: Any) -> Any:
    """Return an unfitted pipeline that takes mixed columns as they are."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encode = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    text = make_column_selector(dtype_exclude="number")(X)
    columns = make_column_transformer((encode, text), remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(random_state=0))

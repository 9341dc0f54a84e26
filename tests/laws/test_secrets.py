"""No cell value of the user's data reaches any output of a whole run."""

import json
import logging
import warnings

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc

N = 240
SECRETS = [f"Xq{i}zelda.weiss{i}@example.org" for i in range(N)]
CARDS = [f"4929{i:012d}" for i in range(N)]


def test_planted_secrets_appear_in_no_output(tmp_path, caplog, capfd):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "income": rng.normal(5, 1, N),
            "job": rng.choice(["clerk", "nurse"], N),
            "email": SECRETS,
            "card": CARDS,
            "town": ["Rarestown-Uniqueville" if i == 3 else "Bern" for i in range(N)],
        }
    )
    y = (X["income"] + rng.normal(0, 0.3, N) > 5).astype(int)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["job", "town", "email", "card"]),
        remainder="passthrough",
    )
    model = make_pipeline(columns, LogisticRegression()).fit(X, y)
    subject = tc.Subject(model, X, y, sensitive=["job"], reference=(X, y), name="secrets")
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = tc.evaluate(subject)
    for ending in ("html", "json", "md"):
        report.save(tmp_path / f"r.{ending}")
    outputs = {
        "html": (tmp_path / "r.html").read_text("utf-8"),
        "json": (tmp_path / "r.json").read_text("utf-8"),
        "markdown": (tmp_path / "r.md").read_text("utf-8"),
        "terminal": str(report),
        "notebook": report._repr_html_(),
        "frame": report.to_frame().to_string(),
        "log": caplog.text,
        "warnings": " ".join(str(w.message) for w in caught),
        "stdout": "".join(capfd.readouterr()),
        "findings": " ".join(
            f"{f} {f._repr_html_()} {f.to_frame()}" for f in report.findings.values()
        ),
        "verdicts": " ".join(v.message for v in report.verdicts),
    }
    for name, text in outputs.items():
        plain = text if name != "json" else json.dumps(json.loads(text), ensure_ascii=False)
        for secret in (*SECRETS, *CARDS, "Rarestown", "zelda"):
            assert secret not in plain, f"{name} holds a planted value"

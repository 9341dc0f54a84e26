"""The example a newcomer copies from CONTRIBUTING.md is a probe that runs."""

import textwrap
from pathlib import Path

import numpy as np

import trustcheck as tc

REPO = Path(__file__).parents[2]


def test_the_example_in_contributing_is_a_working_probe():
    text = (REPO / "CONTRIBUTING.md").read_text("utf-8")
    code = textwrap.dedent(text.partition("   ```python\n")[2].partition("   ```")[0])
    module = {"__name__": "trustcheck.reliability._doubt"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), module)
    scores = np.tile([0.4, 0.3, 0.3], (50, 1))
    subject = tc.Subject.from_predictions([0, 1, 2, 0, 1] * 10, [0] * 50, scores, classes=[0, 1, 2])
    finding = module["doubt"](subject)
    assert finding.key == "reliability.doubt"
    assert finding.value == 1.0

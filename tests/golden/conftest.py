import runpy
from pathlib import Path

import pytest

# Test modules are not importable by name here, so published.py is run by its path.
PUBLISHED = runpy.run_path(str(Path(__file__).with_name("published.py")))


@pytest.fixture
def tree_predictions():
    return PUBLISHED["load_tree"]()


@pytest.fixture
def logreg_predictions():
    return PUBLISHED["load_logreg"]()

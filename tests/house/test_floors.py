"""Who may import whom: the floors, held by reading every module's source."""

import ast
from pathlib import Path

import pytest

import trustcheck

ROOT = Path(trustcheck.__file__).parent
PILLARS = {
    "accountability",
    "drift",
    "explain",
    "fairness",
    "privacy",
    "reliability",
    "robustness",
    "safety",
    "security",
}
FLOORS = {
    **dict.fromkeys(("types", "stats", "standard", "_session"), 0),
    **dict.fromkeys(("probe", "runner", "subject", "search"), 1),
    **dict.fromkeys(PILLARS, 2),
    **dict.fromkeys(("catalog", "judge", "scoring", "profiles", "datasets"), 3),
    **dict.fromkeys(
        (
            "_evaluate",
            "_what_if",
            "_changes",
            "_mitigation",
            "_progress",
            "_frozen",
            "_gathered",
            "_secrets",
            "jobs",
            "report",
            "store",
        ),
        4,
    ),
    **dict.fromkeys(("_compare", "_database", "monitor", "_looks", "_watched"), 4),
    **dict.fromkeys(("__init__", "__main__", "cli", "pytest_plugin"), 5),
}
# Rooms that may reach less than their floor allows.
NARROWER = {
    "judge": {"judge", "scoring", "types", "stats", "standard", "_session"},
    "scoring": {"scoring", "types", "stats", "standard"},
    "report": {"report", "types", "standard"},
    "stats": {"stats"},
    "standard": {"standard"},
    "types": {"types"},
    "datasets": {"datasets"},
}
# Doors: methods of nouns that reach upwards when called, each one line long.
DOORS = {("types", "judge"), ("types", "profiles"), ("types", "report"), ("types", "_frozen")}
HEAVY = {"pandas", "sklearn", "shap", "art", "torch", "fairlearn", "numba", "rich", "svg", "jinja2",
         "joblib", "matplotlib", "sqlalchemy", "skops", "pyarrow", "statsmodels"}  # fmt: skip


def modules():
    return sorted(path for path in ROOT.rglob("*.py"))


def room(path):
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imports(path):
    """Yield (dotted name, whether it is at module level), type-checking blocks left out."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    lazy = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # ``from trustcheck import x`` reaches the room x.
            names = (
                [f"trustcheck.{alias.name}" for alias in node.names]
                if node.module == "trustcheck"
                else [node.module]
            )
        else:
            continue
        for name in names:
            yield name, id(node) not in lazy


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_imports_only_from_its_floor_or_below(path):
    own = room(path)
    for name, _ in imports(path):
        if not name.startswith("trustcheck."):
            continue
        other = name.split(".")[1]
        if own == other or (own, other) in DOORS or FLOORS[own] == 5:
            continue
        assert FLOORS[other] <= FLOORS[own], f"{own} (floor {FLOORS[own]}) imports {other}"
        assert not (own in PILLARS and other in PILLARS), f"pillar {own} imports pillar {other}"
        if own in NARROWER:
            assert other in NARROWER[own], f"{own} may not import {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_libraries_load_only_inside_functions(path):
    own = room(path)
    for name, at_module_level in imports(path):
        top = name.split(".")[0]
        if at_module_level and own not in ("report", "cli"):
            assert top not in HEAVY, f"{own} imports {top} at module level"
        if own in ("types", "standard", "scoring") and at_module_level:
            assert top != "scipy"


def test_every_room_has_a_floor():
    assert {room(path) for path in modules()} <= set(FLOORS)

# The verbs of this repository; CI runs the same ones.
PYTHON ?= python3
BIN := .venv/bin
TESTS ?= tests src docs
WORKERS ?= auto
SUBJECTS ?= 5000

.PHONY: demo test test-full fuzz worlds lint types format docs notebooks clean help

help:  ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: .venv/.installed  ## install, audit a real model on real data, say where the report is
	$(BIN)/trustcheck demo

test: .venv/.testing  ## install what tests need and run them all
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow" $(TESTS)

test-full: .venv/.testing  ## the same with the long simulations
	$(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

fuzz: .venv/.testing  ## subjects at random: 5,000, or make fuzz SUBJECTS=20000
	TRUSTCHECK_FUZZ=$(SUBJECTS) $(BIN)/python -m pytest -n $(WORKERS) tests/fuzz

worlds: .venv/.testing  ## worlds whose truth is known, the whole grid
	TRUSTCHECK_WORLDS=full $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/worlds

lint: .venv/.linting  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.linting  ## strict types
	MYPYPATH=src $(BIN)/mypy -p trustcheck

format: .venv/.linting  ## put the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.documenting  ## the documentation site, in docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

notebooks: .venv/.testing  ## run the notebooks and keep what they show
	$(BIN)/jupyter execute --inplace notebooks/*.ipynb

clean:  ## remove the environment and caches
	rm -rf .venv .mypy_cache .ruff_cache reports docs/_build docs/reference/generated
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[all]"
	touch $@

.venv/.testing: .venv/.installed
	$(BIN)/python -m pip install --quiet --group test
	touch $@

.venv/.linting: .venv/.testing
	$(BIN)/python -m pip install --quiet --group lint
	touch $@

.venv/.documenting: .venv/.installed
	$(BIN)/python -m pip install --quiet --group docs
	touch $@

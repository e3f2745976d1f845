# make demo    one real clip through the whole system; writes demo/report.html
# make test    the tests
# make check   ruff, and mypy --strict on an installed copy
# make clean   remove everything that the others made, .venv included
#
# Each sets up .venv first. Variables:
#   PYTHON       the Python 3.11 or newer that makes .venv            (python3)
#   TORCH_INDEX  where pip finds PyTorch's CPU build, which is smaller; for example
#                make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
#   PIP_ARGS     anything else for pip install
#   TESTS        what pytest is to run, for example TESTS=tests/cli   (all)
#   JOBS         how many processes run the tests                     (2)

PYTHON ?= python3
TORCH_INDEX ?=
PIP_ARGS ?=
TESTS ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
PIP := $(BIN)/pip install --disable-pip-version-check --quiet --progress-bar off $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(PIP_ARGS)

.PHONY: demo test check clean

demo: $(INSTALLED)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python examples/demo.py

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(TESTS)

# mypy cannot follow package-dir in a checkout, so it reads a copy laid out as it is installed.
check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build && mkdir build
	$(PIP) --no-deps --no-build-isolation --target build/check . >build/log 2>&1 || { cat build/log; exit 1; }
	cd build/check && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p edgecodec

clean:
	rm -rf $(VENV) build demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): PyTorch and the rest, some minutes on a slow line"
	$(PIP) -e '.[dev]'
	touch $@

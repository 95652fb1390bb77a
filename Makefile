# make demo   the main job on the example person, without a GPU or a model hub
# make test   all tests
# make app    the page on http://127.0.0.1:7860
# Each sets itself up first; a second run does not set up again.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: demo test app setup lint clean

demo: $(VENV)/ready
	$(VENV)/bin/python -m realism demo

test: $(VENV)/ready-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/python -m pytest

app: $(VENV)/ready
	$(VENV)/bin/python app.py

setup: $(VENV)/ready

lint: $(VENV)/ready-dev
	$(VENV)/bin/ruff check .

$(VENV)/ready: requirements.txt packages.txt setup.sh
	PYTHON="$(PYTHON)" sh setup.sh $(VENV) requirements.txt
	touch $@

$(VENV)/ready-dev: $(VENV)/ready requirements-dev.txt
	PYTHON="$(PYTHON)" sh setup.sh $(VENV) requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) outputs

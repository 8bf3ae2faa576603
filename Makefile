# Two commands are all a newcomer needs: `make run` and `make test`. PYTHON=python3.12 chooses another Python.
PYTHON ?= $(shell for one in python3.11 python3.12 python3.13 python3; do \
	command -v $$one >/dev/null 2>&1 && $$one -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$one && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help run test check bench soak topics-model clean engines test-engines

help:  ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

run: $(READY)  ## read the sample articles in seeds/ and print the tables
	@$(BIN)/newsbeam run configs/quickstart.yaml
	@$(BIN)/newsbeam query configs/quickstart.yaml " \
		SELECT date, topic, language, title FROM articles ORDER BY date DESC, title; \
		SELECT label, name, sum(mentions)::INT AS mentions, count(*) AS articles \
		FROM entities GROUP BY ALL ORDER BY articles DESC, mentions DESC, name LIMIT 10; \
		SELECT method, title, source FROM duplicates ORDER BY title; \
		SELECT stage, error_class, input, error FROM dead_letters ORDER BY input, letter_id"

test: $(READY)  ## run the tests (under 15 minutes on two cores)
	@$(BIN)/python -m pytest

engines: $(READY)  ## install Prism, Flink and MinIO under .tools/ for the tests (needs Java and Maven)
	@PIP=$(BIN)/pip tests/engines/install.sh

test-engines: $(READY)  ## run the tests on these engines; without one its tests are skipped, with the reason
	@$(BIN)/python -m pytest -m engines -rs

check: $(READY)  ## lint and type-check
	@$(BIN)/ruff check . && $(BIN)/mypy

bench: $(READY)  ## measure what the README and the docs claim (needs ../shared/data)
	@for one in bench bench_decoder bench_names bench_topics bench_pages bench_copies bench_feeds; do \
		echo "== $$one"; $(BIN)/python -m tests.$$one || exit 1; done

soak: $(READY)  ## the long tests: many kills, large inputs, all engines (an hour or two); with what they measured
	@$(BIN)/python -m pytest --soak -m 'engines or not engines' -rsP

topics-model: $(READY)  ## train the model of topics anew, and compare its bytes (needs ../shared/data)
	@$(BIN)/python -m pipeline.topics_default ../shared/data

clean:  ## remove what was made: tables, caches, the virtual environment
	rm -rf out $(VENV) build dist transforms/_kernel* *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): setup.py transforms/kernel.c transforms/words.c
	@test -n "$(PYTHON)" || { echo "newsbeam needs Python 3.11, 3.12 or 3.13, and found none; give PYTHON=/path/to/python." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else f"newsbeam needs Python 3.11 to 3.13; $(PYTHON) is {sys.version.split()[0]}.")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c configs/constraints/$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])').txt -e '.[test]'
	@touch $@

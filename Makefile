.DEFAULT_GOAL := help
.PHONY: help setup run test code pages prove chance attack night check bench
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.labelwise
SOURCES := pyproject.toml constraints.txt hatch_build.py $(shell find frontend/src frontend/package-lock.json frontend/build.mjs -type f 2>/dev/null)
export OMP_NUM_THREADS ?= 1
# Quick tests write to memory where there is room for it: a disk that syncs every commit makes them wait for a third of their time.
ROOMY = $(shell test -w /dev/shm && test "$$(df -Pk /dev/shm | awk 'NR == 2 {print $$4}')" -gt 4000000 && echo /dev/shm)
QUICK = $(if $(ROOMY),TMPDIR=$(ROOMY) PYTEST_DEBUG_TEMPROOT=$(ROOMY)) $(BIN)/python -m pytest -p no:schemathesis

help: ## say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make the environment in .venv, with the program labelwise in it [TORCH=1: Debian's PyTorch too, to test its example]
	@[ "$(TORCH)" != 1 ] || sh scripts/torch.sh

$(STAMP): $(SOURCES)
	@sh scripts/system.sh
	@test -x $(BIN)/python || { echo "[1/3] making .venv"; $(PYTHON) -m venv .venv; }
	@echo "[2/3] installing Labelwise, its front end and its tests (a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[server,dev]'
	@echo "[3/3] ready: $(BIN)/labelwise"
	@touch $(STAMP)

run: setup ## set up, start on SQLite and print a link that opens the demo [HOST= PORT=]
	@$(BIN)/labelwise demo $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

test: setup ## set up and test code and pages, each on one database by its name
	@$(MAKE) --no-print-directory --keep-going --jobs 2 code pages

code:
	@$(QUICK) -n 2 --dist loadfile --share day tests/unit tests/api

pages:  # beside the code, which waits for databases and files a quarter of its time
	@mkdir -p .pytest_cache && { $(QUICK) --share day tests/browser >.pytest_cache/pages 2>&1; ended=$$?; cat .pytest_cache/pages; exit $$ended; }

prove: setup ## kill, race and take guards away: what must hold on bad days
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --share day tests/proofs

attack: setup ## attack a running service on both databases, case by case of the list
	@$(BIN)/python -m pytest -n 2 --dist loadgroup tests/attacks

chance: setup ## a share of the random requests as each role, on both databases at once [EACH= SECONDS=]
	@$(MAKE) --no-print-directory --jobs 2 chance-sqlite chance-postgresql

chance-%:
	@mkdir -p .pytest_cache && { PYTHONHASHSEED=0 $(BIN)/python -m benchmarks.random_requests --each $(or $(EACH),40) --seconds $(or $(SECONDS),inf) --seed 7 --database $* >.pytest_cache/chance-$* 2>&1; ended=$$?; cat .pytest_cache/chance-$*; exit $$ended; }

night: ## all that takes long: tests that `test` and `prove` leave out, and every attack [an hour]
	@$(MAKE) --no-print-directory setup TORCH=1
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --share night tests --ignore tests/attacks --ignore tests/browser
	@$(BIN)/python -m pytest --share night tests/browser
	@$(MAKE) --no-print-directory attack

check: setup ## all gates: style, types, import contracts, front end
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@cd frontend && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && npx tsc --noEmit && npx biome ci src

bench: setup ## the benchmarks whose results stand in benchmarks/RESULTS.md
	@for each in round serving feed snapshots annotators merges imports items_page overview predictions scorer own_model videos simulate strategies cluster incremental doubts; do echo "== $$each"; $(BIN)/python -m benchmarks.$$each || exit 1; done

# Every target works on a bare checkout and offline once `make setup` ran.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast test-property test-faults check fix bench docs mlflow cluster cluster-stop demo-cluster package lock clean
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
# Spark finds the same Java that the set-up checked.
JAVA = export JAVA_HOME="$$(scripts/java_home.sh)";
LINTED := visitgrain jobs pipelines conf tests bench scripts setup.py

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

setup: ## .venv, locked packages, Java 17+, Delta's jars; once
	@scripts/setup.sh

run: setup ## simulate a small world and run ingest -> visits -> features -> segments over it
	@$(JAVA) $(BIN)/visitgrain demo

# A test that hangs fails with the stacks of its threads, instead of holding up all others.
test: setup ## the whole test suite, as CI runs it: file by file in two processes
	@$(JAVA) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --timeout 1200

test-fast: setup ## specs and unit tests that need no Spark: half a minute
	@$(BIN)/python -m pytest -q -n 2 -m "not spark and not slow" tests

test-property: setup ## ten times as many random examples of the same properties: an hour or so
	@$(JAVA) PROPERTY_SCALE=10 $(BIN)/python -m pytest tests/property tests/jobs/test_any_split.py tests/jobs/test_daily_increments.py

test-faults: setup ## kills, corruptions and clusters; KILLS=100 before a release
	@$(JAVA) $(BIN)/python -m pytest --faults -m faults --kills $(or $(KILLS),3)

check: setup ## formatting, lint, types, generated pages
	@$(BIN)/ruff format --check --quiet $(LINTED) && $(BIN)/ruff check --quiet $(LINTED)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/visitgrain docs --check

fix: setup ## format and repair what ruff can, regenerate the pages
	@$(BIN)/ruff check --quiet --fix $(LINTED); $(BIN)/ruff format --quiet $(LINTED)
	@$(BIN)/visitgrain docs

bench: setup ## the benchmark and its rivals; writes docs/generated/benchmark.md
	@$(JAVA) $(BIN)/python -m bench

docs: setup ## regenerate table pages and data contracts under docs/generated
	@$(BIN)/visitgrain docs

mlflow: setup ## MLflow's pages on this machine, behind a login: docs/mlflow.md
	@$(BIN)/visitgrain mlflow

cluster: setup ## Spark's standalone master, two workers and history server on this machine: docs/cluster.md
	@$(JAVA) $(BIN)/visitgrain cluster start

cluster-stop: ## end them
	@$(BIN)/visitgrain cluster stop

demo-cluster: cluster ## what `make run` does, on that cluster
	@./spark-submit.sh --master "$$($(BIN)/visitgrain cluster url)" --load-spark-defaults "$$($(BIN)/visitgrain cluster properties)" -- \
	  --set spark.sql.shuffle.partitions=16 --set spark.databricks.delta.snapshotPartitions=2 demo

package: setup ## build/visitgrain.zip, the artefact spark-submit.sh ships
	@$(BIN)/python scripts/build_artefact.py

lock: setup ## rewrite constraints.txt from the current .venv
	@{ head -n 1 constraints.txt; $(BIN)/python -m pip freeze --all --exclude pip --exclude-editable; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## remove what can be built again (not lake/, data/, cluster/, .venv, jars/)
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis spark-warehouse metastore_db derby.log
	@find visitgrain jobs pipelines conf tests scripts bench -name __pycache__ -prune -exec rm -rf {} +

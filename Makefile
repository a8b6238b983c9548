# Three commands: `make demo` (a house to look around in), `make run` (the retraining flow), `make test` (every check).
PYTHON ?= python3
BIN := .venv/bin
SOURCE ?= simulator
INPUT ?=
MODULES ?=
MOST ?=
AGAIN ?=
OPTIONS ?=

# Commands and servers start in new processes: without compiled modules each compiles thousands of them again.
unexport PYTHONDONTWRITEBYTECODE

# What stands behind `make trial` is the trial's name.
ifeq (trial,$(firstword $(MAKECMDGOALS)))
NAME ?= $(word 2,$(MAKECMDGOALS))
$(eval $(word 2,$(MAKECMDGOALS)):;@:)
endif

.PHONY: run test demo demo-clean up setup test-cluster trial mutants bench bench-large screenshots docs bundle image lock clean

# The packages that most of a start's time goes into; what is not compiled here is compiled by whoever imports it first.
COMPILED := PIL _pytest aiohttp alembic altair apprise authlib beartype botocore cryptography docket dvc evidently fastapi \
	fontTools fpdf graphql great_expectations hypothesis jinja2 kopf kubernetes_asyncio lightgbm litestar matplotlib mlflow \
	narwhals networkx nltk numba numpy openlineage opentelemetry optuna pandas playwright polars prefect pydantic pygments \
	ray/_private ray/core ray/dashboard redis rich scipy shap sklearn splink sqlalchemy sqlglot starlette werkzeug

# Installed from the lock file, by hash, and compiled once by all cores instead of by each of the tests' processes;
# the stamp makes a second run start at once.
.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[0-9.]+' requirements.lock)"
	$(BIN)/uv pip sync --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	cd "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" && \
		$(CURDIR)/$(BIN)/python -m compileall -q -j 0 -x '/tests?/' $(COMPILED)
	touch $@

setup: .venv/.installed

run: setup
	$(BIN)/tidewaiter retrain --source $(SOURCE) $(if $(INPUT),--input '$(INPUT)')

# A simulated house to look around in, in a state folder of its own; Ctrl-C stops it, and the second start goes on with it.
# `make trial demo` is a trial's name.
ifneq (trial,$(firstword $(MAKECMDGOALS)))
demo: setup
	$(BIN)/tidewaiter demo
endif

demo-clean:
	rm -rf .tidewaiter-demo

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check
	$(BIN)/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder -m "not cluster" --durations 8

# Random stores on a cluster, and what one does when it loses workers and nodes: Ray takes its time to notice.
test-cluster: setup
	$(BIN)/python -m pytest -q -m cluster --durations 8

# `make trial` lists the long runs, `make trial kills` begins one or goes on with it; UNITS=10 for a part of it.
trial: setup
	$(BIN)/python -m tests.trials $(NAME) $(UNITS)

# One change at a time to the code that decides, and whether a test notices; hours, or MODULES=models/ledger/chain.py MOST=20.
mutants: setup
	$(if $(MOST),MOST=$(MOST)) $(if $(AGAIN),AGAIN=1) $(BIN)/python -m benchmarks.mutants $(MODULES)

up: setup
	$(BIN)/tidewaiter up

bench: setup
	$(BIN)/python benchmarks/stages.py
	$(BIN)/python benchmarks/ingestion.py
	$(BIN)/python benchmarks/windows.py
	$(BIN)/python benchmarks/morning.py
	$(BIN)/python benchmarks/scoring.py
	$(BIN)/python benchmarks/window.py
	$(BIN)/python benchmarks/ledger.py
	$(BIN)/python benchmarks/network_scale.py
	$(BIN)/python benchmarks/matching.py
	$(BIN)/python benchmarks/matching_names.py
	$(BIN)/python benchmarks/plots.py

# Nights against the length of the history, a retraining on ten million; more than an hour and 40 GB of disk.
bench-large: setup
	$(BIN)/python benchmarks/large.py
	$(BIN)/python benchmarks/boosting.py
	$(BIN)/python benchmarks/cluster.py
	$(BIN)/python benchmarks/plots.py

# Of two things there are trials of the same name, which `make trial` means.
ifneq (trial,$(firstword $(MAKECMDGOALS)))
# Everything for a machine without a network, in dist/; docs/operator.md, "Closed networks".
bundle: docs
	$(BIN)/python -m deploy.bundle

# The image of deploy/Containerfile, from the committed code; OPTIONS are podman's, as '--build-arg BASE=...'.
image: setup
	rm -rf dist/image
	$(BIN)/python -m deploy.source dist/image
	podman build --file dist/image/deploy/Containerfile --tag tidewaiter $(OPTIONS) dist/image
endif

# The pictures of docs/images, from a real run; needs chromium.
screenshots: setup
	$(BIN)/python -m docs.screenshots

# These pages as one site in site/, to be read and searched without a server.
docs: setup
	$(BIN)/python -m docs.make_site

# Run after changing dependencies in pyproject.toml.
lock:
	$(BIN)/uv pip compile --universal --python-version 3.11.4 --generate-hashes --all-extras --group dev pyproject.toml -o requirements.lock

clean: demo-clean
	rm -rf .venv .tidewaiter data site dist

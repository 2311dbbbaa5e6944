# The one vocabulary for people, hooks and CI. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

HOST ?= 127.0.0.1
PORT ?= 3000
GRPC_PORT ?= 50051
UI_PORT ?= 7860
DOCS_PORT ?= 8000
# with a certificate the service speaks TLS: docs/how-to/tls.md
SCHEME := $(if $(BOXWOOD_TLS_CERT),https,http)
# where this machine's service is, brackets around an address of IPv6
HERE := $(SCHEME)://$(if $(filter 0.0.0.0 ::,$(HOST)),127.0.0.1,$(if $(findstring :,$(HOST)),[$(HOST)],$(HOST))):$(PORT)
API ?= $(HERE)
WORKERS ?= $(shell nproc)
PYTHON ?= python3
IMAGE ?= boxwood:latest
PAGE_IMAGE ?= boxwood-page:latest
BASE ?= docker.io/library/python:3.11-slim

DEV := .venv
SERVING := .venv-serving
ENGINES := .venv-engines
DOCS := .venv-docs
# always this folder's: an activated environment may be of another copy of the project
export BENTOML_HOME := $(CURDIR)/stores/bentoml
override export DATA := $(value DATA)
# a table with a TARGET is called after its file, another belongs to the default problem
ifeq ($(origin PROBLEM),undefined)
PROBLEM := $(if $(value TARGET),$(shell $(PYTHON) -m training.draft.names '$(subst ','\'',$(value DATA))'),flights)
endif
override export PROBLEM := $(value PROBLEM)
override export TARGET := $(value TARGET)
override export SHEET := $(value SHEET)
override export IN := $(value IN)
override export OUT := $(value OUT)
override export MODEL := $(value MODEL)
override export SCHEDULER := $(value SCHEDULER)
# make takes no blanks and colons in the names of targets; so these are relative too
FILED := $(shell printf %s '$(subst ','\'',$(PROBLEM))' | tr -c 'a-z0-9_@,' '+')
BENTO := stores/bentoml/bento-$(FILED).tag
TAGS := stores/bentoml/models-$(FILED).txt
comma := ,
STAGES := $(addprefix package@,$(subst $(comma), ,$(PROBLEM)))
AXE := tests/ui/node_modules/axe-core/axe.min.js
TESTS := pytest -n 2 --dist worksteal --durations 20 -m 'not (image or browser or rollout or slow)'
CODE := service.py bentofile.yaml requirements/serving.txt \
        $(shell find validation problems model serving -name '*.py')

export PATH := $(CURDIR)/$(DEV)/bin:$(PATH)
export BENTOML_DO_NOT_TRACK := true
export DO_NOT_TRACK := true
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export BOXWOOD_GRPC_HOST ?= $(HOST)
export BOXWOOD_GRPC_PORT ?= $(GRPC_PORT)
export BOXWOOD_WORKERS ?= $(WORKERS)
export GRADIO_ANALYTICS_ENABLED := False
# threads of LightGBM that wait let others have the core: two trainings at once on two cores take a sixth of the time
export OMP_WAIT_POLICY ?= passive

# an environment knows its folder by name: where that was moved, it is made again
MOVED := $(shell cd $(DEV) 2>/dev/null && [ -s .ready ] && [ "$$(cat .ready)" != "$$(pwd -P)" ] && echo yes)
ifeq ($(MOVED),yes)
$(info setup: the folder was moved or copied, so its environments are made again)
$(shell rm -f $(DEV)/.ready $(DEV)/bin/uv $(SERVING)/.ready)
endif

# so that `bentoml list`, `mlflow ui` and notebooks find the project's stores where the environment is activated
define ACTIVATED
BENTOML_HOME="$${VIRTUAL_ENV%/*}/stores/bentoml"
MLFLOW_TRACKING_URI="$${MLFLOW_TRACKING_URI:-sqlite:///stores/mlflow/mlflow.db}"
MLFLOW_BACKEND_STORE_URI="$${MLFLOW_BACKEND_STORE_URI:-sqlite:///stores/mlflow/mlflow.db}"
export BENTOML_HOME MLFLOW_TRACKING_URI MLFLOW_BACKEND_STORE_URI
endef
export ACTIVATED

.PHONY: help setup engines docs docs-serve reference train tune draft eda promote scm serve ui drift score bento push pull image image-test ui-image ui-image-test free-port free-ui-port dev \
        check audit format test coverage test-heavy heavy-tools browser-tools screenshots bench proto lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo '  PROBLEM=flights|flights,churn|flights@champion,flights@challenger  DATA=path-or-URL|simulated  TARGET=column-of-a-new-table  SHEET=of-a-workbook  PORT=3000  GRPC_PORT=50051  HOST=127.0.0.1  WORKERS=number of CPUs'
	@echo '  UI_PORT=7860 (0: no page)  API=http://127.0.0.1:3000 (for the page alone)'

setup: $(DEV)/.ready $(SERVING)/.ready ## set everything up (the other targets do it by themselves)

$(DEV)/bin/uv: requirements/uv.txt
	@echo 'setup: bringing uv'
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Boxwood needs Python 3.11 to 3.13; this is " + sys.version.split()[0] + ". Say which with PYTHON=…")'
	@$(PYTHON) -m venv --clear $(DEV) >/dev/null || { echo 'Python cannot make environments. On Debian: apt-get install python3-venv' >&2; rm -rf $(DEV); exit 1; }
	@$(DEV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(DEV)/.ready: requirements/dev.txt $(DEV)/bin/uv
	@echo 'setup: installing the locked packages (a minute or two the first time)'
	@VIRTUAL_ENV=$(DEV) $(DEV)/bin/uv pip sync --quiet --require-hashes --compile-bytecode requirements/dev.txt
	@grep -qs stores/mlflow $(DEV)/bin/activate || echo "$$ACTIVATED" >> $(DEV)/bin/activate
	@cd $(DEV) && pwd -P > .ready

$(SERVING)/.ready: requirements/serving.txt $(DEV)/.ready
	@echo 'setup: installing the serving environment'
	@$(DEV)/bin/uv venv --quiet --clear --python $(DEV)/bin/python $(SERVING)
	@VIRTUAL_ENV=$(SERVING) $(DEV)/bin/uv pip sync --quiet --require-hashes --compile-bytecode requirements/serving.txt
	@touch $@

engines: $(ENGINES)/.ready ## an environment with Spark and Dask, for scoring and training on a cluster

$(ENGINES)/.ready: requirements/engines.txt $(DEV)/.ready
	@echo 'setup: installing Spark and Dask with all that training needs (two gigabytes)'
	@$(DEV)/bin/uv venv --quiet --clear --python $(DEV)/bin/python $(ENGINES)
	@VIRTUAL_ENV=$(ENGINES) $(DEV)/bin/uv pip sync --quiet --require-hashes --compile-bytecode requirements/engines.txt
	@touch $@

docs: $(DOCS)/.ready ## the documentation as a site, build/docs/site, which needs no server; a link to nothing fails
	@$(DOCS)/bin/python -m docs.site build/docs

reference: $(DEV)/.ready ## write the pages of docs/reference that are rendered from the code: ARGS=--api=http://127.0.0.1:3000 for the routes too
	@python -m docs.rendering $(ARGS)

docs-serve: docs ## the same on DOCS_PORT (8000)
	@exec $(DOCS)/bin/python -m http.server --bind $(HOST) --directory build/docs/site $(DOCS_PORT)

$(DOCS)/.ready: requirements/docs.txt $(DEV)/.ready
	@echo 'setup: installing what makes the documentation'
	@$(DEV)/bin/uv venv --quiet --clear --python $(DEV)/bin/python $(DOCS)
	@VIRTUAL_ENV=$(DOCS) $(DEV)/bin/uv pip sync --quiet --require-hashes --compile-bytecode requirements/docs.txt
	@touch $@

train: $(if $(SCHEDULER),engines) $(DEV)/.ready scm ## run the pipeline: DATA=path-or-URL, or the simulated table; SCHEDULER=tcp://host:8786 for a cluster of Dask
	@$(if $(SCHEDULER),$(ENGINES)/bin/python -m training run "$$PROBLEM" --data="$$DATA" --scheduler="$$SCHEDULER",python -m training run "$$PROBLEM" --data="$$DATA" --target="$$TARGET" --sheet="$$SHEET" --tags $(TAGS))

draft: $(DEV)/.ready ## write problems/PROBLEM for a table without one: DATA=path-or-URL TARGET=column
	@python -m training draft "$$PROBLEM" --data="$$DATA" --target="$$TARGET" --sheet="$$SHEET"

promote: $(DEV)/.ready ## have the version of PROBLEM that was refused last served all the same, by the next `make serve`; flights@2: that one
	@case "$$PROBLEM" in *@*) called=$${PROBLEM#*@};; *) called=challenger;; esac; \
	python -m training registry promote "$${PROBLEM%%@*}" "$$called"

eda: $(DEV)/.ready ## a page on the table of PROBLEM, build/eda/PROBLEM.html: DATA=path-or-URL TARGET=column for another
	@python -m training eda "$$PROBLEM" --data="$$DATA" --target="$$TARGET" --sheet="$$SHEET"

tune: $(DEV)/.ready ## look for better parameters of LightGBM: TRIALS=50 MINUTES=no-limit ARGS=--write
	@python -m training tune "$$PROBLEM" --trials "$(or $(TRIALS),50)" $(if $(MINUTES),--minutes "$(MINUTES)") $(ARGS)

# DVC works with Git where this is a clone, and has to be told where it is none
scm: $(DEV)/.ready
	@if [ ! -e .git ]; then grep -qs no_scm .dvc/config.local || dvc config --local core.no_scm true; \
	elif grep -qs no_scm .dvc/config.local; then dvc config --local --unset core.no_scm; fi

bento: train ## build the Bento of what PROBLEM names
	@bentoml get "$$(cat $(BENTO) 2>/dev/null || echo none)" --output path >/dev/null 2>&1 || rm -f $(BENTO)
	@$(MAKE) --no-print-directory --silent $(BENTO)
	@echo "bento: $$(cat $(BENTO)), as built from this code and this model"

# a Bento is the same whatever settings this shell has: they are for those who serve it
$(BENTO): $(CODE) $(TAGS)
	@models=$$(cat $(TAGS)); echo "bento: building with $$models"; \
	env $(addprefix -u ,$(filter BOXWOOD_%,$(.VARIABLES))) bentoml build --output tag --arg models=$$models | sed -n 's/^__tag__://p' > $@.part; \
	mv $@.part $@

push: $(DEV)/.ready scm ## give the table and what was made of it to the DVC remote
	@dvc push --with-deps $(STAGES)
	@echo 'push: commit dvc.lock, by which others pull'

pull: $(DEV)/.ready scm ## bring them from the DVC remote, if one is configured
	@if [ -n "$$(dvc config core.remote 2>/dev/null)" ]; then dvc pull --with-deps $(STAGES); \
	else echo 'pull: no DVC remote is configured; the pipeline will run from its table'; fi

free-port: $(DEV)/.ready
	@python -m serving.port $(HOST) $(PORT) PORT

free-ui-port: $(DEV)/.ready
	@[ $(UI_PORT) = 0 ] || python -m serving.port $(HOST) $(UI_PORT) UI_PORT

# what was answered stays on this machine: docs/how-to/journal.md
serve: export BOXWOOD_JOURNAL ?= $(CURDIR)/stores/journal
serve: export BOXWOOD_WATCH ?= $(CURDIR)/stores/watch
# the page begins once the service is ready and ends with it; it is nobody's child, so that a supervisor need not know it
serve: export BOXWOOD_UI ?= $(if $(filter-out 0,$(UI_PORT)),:$(UI_PORT))
serve: setup free-port free-ui-port bento ## draft a problem for a TARGET, train if needed, build, and serve on PORT, with the demo page on UI_PORT
	@echo "serve: $(SCHEME)://$(HOST):$(PORT), gRPC at $(BOXWOOD_GRPC_HOST):$(BOXWOOD_GRPC_PORT)"
	@([ $(UI_PORT) = 0 ] || exec python -m ui --api $(HERE) --host $(HOST) --port $(UI_PORT) --beside $$$$ &); \
	exec $(SERVING)/bin/bentoml serve $$(cat $(BENTO)) --host $(HOST) --port $(PORT) --timeout-graceful-shutdown 8

drift: $(DEV)/.ready ## judge the latest answers of PROBLEM: ARGS='--days N --until DATE'
	@python -m monitoring drift "$$PROBLEM" $(ARGS)

score: $(DEV)/.ready ## score the table IN into OUT with the model MODEL (what PROBLEM packaged last): ARGS='--explain --drop COLUMN'
	@python -m scoring score "$$IN" "$$OUT" --model "$${MODEL:-$$PROBLEM}" $(ARGS)

ui: free-ui-port ## the demo page alone on UI_PORT, of the service at API
	@exec python -m ui --api $(API) --host $(HOST) --port $(UI_PORT)

dev: setup free-port train ## serve the working tree, and again on every change
	@exec bentoml serve service:Boxwood --reload --host $(HOST) --port $(PORT) \
	  --arg models=$$(cat $(TAGS))

image: bento ## build the image IMAGE of the Bento, with docker, podman or buildah
	@python -m deploy.image.build $$(cat $(BENTO)) --name $(IMAGE) --base $(BASE) $(ARGS)

image-test: $(DEV)/.ready ## run IMAGE read-only and without capabilities, and prove it
	@python -m deploy.image.proof $(IMAGE) --base $(BASE)

ui-image: $(DEV)/.ready ## build the image PAGE_IMAGE of the page
	@python -m deploy.image.build ui --name $(PAGE_IMAGE) --base $(BASE) $(ARGS)

ui-image-test: $(DEV)/.ready ## prove PAGE_IMAGE in the same way
	@python -m deploy.image.proof $(PAGE_IMAGE) --base $(BASE)

check: $(DEV)/.ready ## format, lint, types, import direction, workflows, scripts
	@ruff format --check .
	@ruff check .
	@mypy
	@lint-imports
	@check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	@check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@zizmor --offline --quiet .github
	@shellcheck deploy/project.sh .ci/run

audit: $(DEV)/.ready ## ask OSV whether locked packages have known vulnerabilities: ARGS='--ignore ID'
	@python -m deploy.audit $(ARGS)

format: $(DEV)/.ready ## let ruff format and mend what it can
	@ruff format .
	@ruff check --fix .

test: setup ## the tests; five minutes on two cores
	@$(TESTS) $(ARGS)

coverage: setup ## the same, and how much of the code they run, half as slow again; fails below pyproject.toml's share
	@rm -f .coverage .coverage.*
	@coverage run -m $(TESTS) $(ARGS)
	@coverage combine --quiet
	@coverage report

test-heavy: setup engines docs browser-tools ## the tests that take longer or need more of the machine
	@pytest -n 2 --dist worksteal --durations 40 -m 'image or browser or rollout or slow' $(ARGS) || [ $$? = 5 ] # 5: there are none

heavy-tools: ## what the heavy tests use if it is there: Debian's PostgreSQL, Prometheus, Alertmanager, Redis, and Go with its gRPC
	@sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; $$sudo apt-get update --quiet; \
	$$sudo apt-get install --yes --quiet --no-install-recommends postgresql prometheus prometheus-alertmanager redis-server \
	  golang-go golang-google-grpc-dev golang-github-golang-protobuf-1-5-dev protobuf-compiler protoc-gen-go protoc-gen-go-grpc

browser-tools: ## what the tests in a browser and of clients use: Debian's Chromium and nginx; axe-core, TypeScript and its gRPC from npm
	@lacks() { ! PATH=$$PATH:/usr/sbin command -v $$1 >/dev/null; }; lacking=; \
	if lacks chromium && lacks google-chrome; then lacking+=' chromium'; fi; \
	if lacks nginx; then lacking+=' nginx-light'; fi; \
	if [ ! -e $(AXE) ] && lacks npm; then lacking+=' npm'; fi; \
	if [ -n "$$lacking" ]; then sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; $$sudo apt-get update --quiet; \
	  $$sudo apt-get install --yes --quiet --no-install-recommends $$lacking; fi
	@$(MAKE) --no-print-directory --silent $(AXE)

$(AXE): tests/ui/package-lock.json
	@cd tests/ui && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

screenshots: setup browser-tools ## pictures of a running page (UI_PORT) into docs/img
	@python -m tests.ui.screenshots http://$(HOST):$(UI_PORT) docs/img

bench: setup bento ## measure it beside its peers, to benchmarks/results.md (needs wrk and h2load; 20 minutes)
	@python -m benchmarks.run $$(cat $(BENTO)) $(ARGS)

proto: $(DEV)/.ready ## generate serving/rpc/protos again: Python of the standard's, the problems' from their contracts
	@python -m grpc_tools.protoc -I. --python_out=. serving/rpc/protos/open_inference.proto
	@python -m serving.contract_proto

lock: $(DEV)/.ready ## resolve pyproject.toml into requirements/ again
	@cd requirements && for name in dev serving engines ui docs; do \
	  case $$name in dev) what='../pyproject.toml --group ../pyproject.toml:dev';; \
	    serving) what='../pyproject.toml -c dev.txt';; engines) what='../pyproject.toml --group ../pyproject.toml:engines -c dev.txt';; *) what="--group ../pyproject.toml:$$name -c dev.txt";; esac; \
	  uv pip compile $$what --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --quiet --output-file $$name.txt; done; \
	  echo uv | uv pip compile - -c dev.txt --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --quiet --output-file uv.txt

clean: ## remove what training and serving made; the environments stay
	@rm -rf data stores build/docs build/eda .dvc/cache .dvc/tmp .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*

include deploy/release.mk

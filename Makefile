# Every target runs from a fresh clone: .venv is made first, from requirements.lock.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# `make test-newest` has an environment of its own, with a Python for the newest stack.
STACK :=
VENV := .venv$(if $(STACK),-$(STACK))
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BEAM_STAMP := $(VENV)/.beam_installed
GPU_STAMP := $(VENV)/.gpu_installed
RUN := $(BIN)/python -m

# A Python that the command line names takes the place of another version in an environment.
ifeq ($(origin PYTHON),command line)
VERSION := -c 'import sys; print("%d.%d" % sys.version_info[:2])'
ifneq ($(shell $(PYTHON) $(VERSION) 2>/dev/null),$(shell $(BIN)/python $(VERSION) 2>/dev/null))
REPLACED := replaced
endif
endif

# uv installs the same packages in a fraction of the time; pip does where there is no uv, or where
# uv cannot (it reads none of pip's settings, such as the address of a mirror).
UV ?= uv
PIP_INSTALL := $(RUN) pip --disable-pip-version-check install
UV_INSTALL := $(if $(shell command -v $(UV) 2>/dev/null),$(UV) pip install --python $(BIN)/python)
INSTALL = $(if $(UV_INSTALL),$(UV_INSTALL) $(1) || )$(PIP_INSTALL) $(1)

# 1: also install NVIDIA's libraries, which TensorFlow computes on GPUs with; 0: do without. As it
# comes: whether there is a GPU. NVIDIA's packages of this CUDA are for x86-64 alone.
NVIDIA_DEVICE ?= /dev/nvidia0
GPU ?= $(shell [ "$$(uname -sm)" = "Linux x86_64" ] \
  && { [ -e $(NVIDIA_DEVICE) ] || nvidia-smi -L 2>/dev/null | grep -q "^GPU "; } && echo 1 || echo 0)
GPU_PART = $(if $(filter 1,$(GPU)),$(GPU_STAMP))

# Test processes: one a core, at most 4 (each needs about 1 GB). Files run in the order that
# tests/conftest.py puts them in.
TEST_WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); \
  [ "$$n" -lt 4 ] && echo "$$n" || echo 4)
PYTEST := $(RUN) pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder --durations 10

# Nothing but `make lock` needs uv.
COMPILE = $(UV) pip compile pyproject.toml --quiet --extra dev --universal --python-version 3.10 \
  --python "$$(PYTHON='$(PYTHON)' tools/find_python.sh)" --generate-hashes --no-annotate \
  --custom-compile-command "make lock" $(LOCK_FLAGS)

.PHONY: help venv beam pretrain test test-slow test-newest lint format lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) $(GPU_PART)  ## make .venv and install the locked packages (done by the others when needed)

# The stamp is written last, so that an interrupted installation is taken up again. An environment
# that cannot run, or that another Python has made, is made anew.
$(STAMP): requirements.lock pyproject.toml $(REPLACED)
	@rm -f $@ $(BEAM_STAMP) $(GPU_STAMP)
	@[ -z '$(REPLACED)' ] && $(BIN)/python -c 'import pip, sys; assert (3, 10) <= sys.version_info[:2] <= (3, 13)' \
	  2>/dev/null || { python=$$(PYTHON='$(PYTHON)' tools/find_python.sh $(STACK)) \
	  && echo "making $(VENV) with $$python" && "$$python" -m venv --clear $(VENV); }
	$(call INSTALL,--no-deps --require-hashes --requirement requirements.lock)
	$(call INSTALL,--no-deps --no-build-isolation --editable .)
	@touch $@

.PHONY: replaced
replaced:

$(GPU_STAMP): $(STAMP) requirements-gpu.lock
	$(call INSTALL,--no-deps --require-hashes --requirement requirements-gpu.lock) \
	  || { echo "error: NVIDIA's libraries were not installed; make venv GPU=0 does without" >&2; exit 1; }
	@touch $@

beam: $(BEAM_STAMP)  ## also install Dask and Apache Beam, to prepare data on many machines

$(BEAM_STAMP): $(STAMP) requirements-beam.lock
	$(call INSTALL,--no-deps --no-build-isolation --require-hashes --requirement requirements-beam.lock)
	@touch $@

pretrain: venv  ## the main job: make the built-in data, train, evaluate
	$(BIN)/python tools/train.py --flagfile=configs/pretrain.cfg

test: lint beam  ## check style and run the tests (with Dask and Apache Beam, which they need)
	$(PYTEST)

test-slow: beam  ## run the tests that take minutes
	$(PYTEST) -m slow

test-newest:  ## run all tests on the newest TensorFlow, in .venv-newest
	$(MAKE) STACK=newest test test-slow

lint: venv  ## check style
	$(RUN) ruff check .
	$(RUN) ruff format --check .

format: venv  ## put the code into the house style
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

# Versions stay as they are unless pyproject.toml rules them out: LOCK_FLAGS=--upgrade takes the
# newest. Each file has the rows of every Python. All of requirements.lock stands in the two others
# as well, so that `make beam` and GPU=1 only add packages.
lock:  ## write the lock files from pyproject.toml (needs uv; LOCK_FLAGS=--upgrade for newer)
	$(COMPILE) --extra beam --output-file requirements-beam.lock
	$(COMPILE) --constraints requirements-beam.lock --output-file requirements.lock
	$(COMPILE) --extra gpu --constraints requirements-beam.lock --output-file requirements-gpu.lock

clean:  ## remove .venv, .venv-newest and caches; data and runs stay
	rm -rf .venv .venv-newest .pytest_cache .ruff_cache build dist *.egg-info
	find actcl_tf tools tests -name __pycache__ -type d -prune -exec rm -rf {} +

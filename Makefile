# swapfast: set-up, run and test from a fresh clone, with Python 3.11+, a C compiler and make.
#
#   make run     set up, then the bundled scenario        make run ARGS="my.toml --json"
#   make test    set up, then the tests                   make test ARGS="-m slow": the slow ones
#   make setup   the set-up alone: .venv with swapfast in it, its core compiled in place
#   make lint    the style checks alone
#   make docs    the documentation as a site, into build/site; broken links and missing texts are errors
#   make pictures  the pictures of the documentation, docs/*.svg, but for that of make scale
#   make bench   the benchmarks and their peers: a table, and bench.json
#   make scale   what a unit costs by how many there are: a table, scale.json, docs/scale.svg
#   make gate    instruction counts against the last commit on origin/main (needs valgrind)
#   make sanitize  the core under AddressSanitizer and UBSan, and the tests of it
#   make fuzz      any bytes at every parser, for some ten minutes
#   make crash     1,000 kill -9, 200 power cuts, an end at each call, full disks, a million steps of
#                  the state machines
#   make soak      an hour of machines in threads, drawn from a seed: memory flat, no descriptor left
#   make wheel     a wheel for Python 3.11 and later, and an sdist, tried in clean environments
#   make clean   remove whatever the above made
#
# PYTHON=... names the interpreter, CC=... the compiler, SWAPFAST_DEBUG=1 builds the core with checks.
# Paths are relative and the scripts in .venv/bin are never called by name: a checkout may lie under
# a path with blanks in it, which make targets and #! lines cannot express.

SHELL := /bin/sh
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup setup-test run test lint docs pictures bench scale gate sanitize fuzz crash soak wheel clean

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && exec echo "$$p"; \
	done; echo python3)
VENV := .venv/bin/python
MODE := $(if $(filter-out 0,$(SWAPFAST_DEBUG)),debug,release)
OTHER_MODE := $(if $(filter debug,$(MODE)),release,debug)
SOURCES := $(wildcard swapfast/*.pyx swapfast/*/*.pyx swapfast/*.pxd swapfast/*/*.pxd swapfast/*/*.h)
PIP := "$(VENV)" -m pip --quiet --disable-pip-version-check

# Settings of the user that would lead pip astray; a home that cannot be written has no cache.
export PIP_USER := 0
export PIP_REQUIRE_VIRTUALENV := 0
CACHE := if ! [ -w "$${HOME:-/}" ]; then export PIP_NO_CACHE_DIR=1; fi
ifneq ($(origin CC),default)
export CC
WITH_CC := CC='$(CC)'
endif

# The first missing package ends make with one line, before pip says anything.
PROBLEM = $(shell if command -v "$(PYTHON)" >/dev/null 2>&1; \
	then $(WITH_CC) "$(PYTHON)" tools/preflight.py 2>&1; \
	else echo "swapfast: no Python found as $(PYTHON): install python3" \
	"(Debian/Ubuntu: apt-get install python3 python3-venv python3-dev; Fedora: dnf install python3-devel)"; fi)
define preflight
$(if $(PROBLEM),$(error $(PROBLEM)))
endef

help:
	@sed -n 's/^# \{0,1\}//; 1,18p' Makefile

setup: .venv/built-$(MODE)

setup-test: setup .venv/ready-test

run: setup
	@"$(VENV)" -m swapfast run $(ARGS)

test: setup-test
	@"$(VENV)" -m pytest -n auto -m "not slow" $(ARGS)

lint: setup-test
	@"$(VENV)" -m pytest -q tests/test_style.py $(ARGS)

docs: setup .venv/ready-docs
	@NO_MKDOCS_2_WARNING=1 "$(VENV)" -m mkdocs build --strict $(ARGS)
	@echo "swapfast: build/site/index.html"

pictures: setup
	@"$(VENV)" -m tools.pictures

bench: setup-test .venv/ready-bench
	@"$(VENV)" -m bench --json bench.json $(ARGS)

scale: setup-test
	@"$(VENV)" -m bench.scale --json scale.json --plot docs/scale.svg $(ARGS)

gate: setup-test
	@"$(VENV)" -m swapfast gate $(ARGS)

sanitize: setup-test
	@$(WITH_CC) "$(VENV)" tools/sanitize.py $(ARGS)

fuzz: setup-test .venv/ready-fuzz
	@$(WITH_CC) "$(VENV)" tools/fuzz.py $(ARGS)

soak: setup-test
	@"$(VENV)" tools/soak.py $(ARGS)

wheel: .venv/ready-wheel
	@$(WITH_CC) "$(VENV)" tools/wheel.py $(ARGS)

crash: setup-test
	@SWAPFAST_KILLS=1000 SWAPFAST_CUTS=200 SWAPFAST_STEPS=1000000 "$(VENV)" -m pytest -s \
		tests/checkpoint/test_crashes.py tests/checkpoint/test_chain_crashes.py \
		tests/checkpoint/test_killed.py tests/checkpoint/test_power.py tests/faults tests/machine/test_long_run.py $(ARGS)

clean:
	rm -rf .venv build dist swapfast.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find swapfast tests bench tools -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
	find swapfast -name '*.so' -exec rm -f {} +

# A link to the interpreter: also remade when the system's Python went away.
.venv/bin/python:
	$(preflight)@echo "swapfast: setting up .venv (first time: about a minute)"
	@rm -rf .venv && "$(PYTHON)" -m venv .venv

.venv/ready: .venv/bin/python pyproject.toml setup.py
	$(preflight)@echo "swapfast: installing the build requirements"
	@rm -f .venv/built-* .venv/ready-*
	@"$(VENV)" -m pip --version >/dev/null 2>&1 || "$(VENV)" -m ensurepip >/dev/null
	@"$(VENV)" -c 'import tomllib; t = tomllib.load(open("pyproject.toml", "rb")); \
		print(*t["build-system"]["requires"], sep="\n")' >.venv/build-requires.txt
	@$(CACHE); $(PIP) install -r .venv/build-requires.txt
	@echo "swapfast: compiling the core and installing swapfast[cli,plot,zstd]"
	@$(CACHE); $(PIP) install --no-build-isolation -e '.[cli,plot,zstd]'
	@touch .venv/ready

# Of the swapfast that is installed: what its extras name, and it is not compiled once more.
.venv/ready-test: .venv/ready
	@echo "swapfast: installing the test requirements"
	@$(CACHE); $(PIP) install 'swapfast[test]'
	@touch .venv/ready-test

.venv/ready-bench: .venv/ready-test
	@echo "swapfast: installing the peers"
	@$(CACHE); $(PIP) install 'swapfast[peers]'
	@touch .venv/ready-bench

.venv/ready-wheel: .venv/ready
	@echo "swapfast: installing what builds and checks wheels"
	@$(CACHE); $(PIP) install 'swapfast[wheel]'
	@touch .venv/ready-wheel

.venv/ready-docs: .venv/ready
	@echo "swapfast: installing what builds the documentation"
	@$(CACHE); $(PIP) install 'swapfast[docs]'
	@touch .venv/ready-docs

# Without a wheel for this Python and machine there is no guided part, and the rest is done.
.venv/ready-fuzz: .venv/ready-test
	@echo "swapfast: installing atheris, if there is one for this machine"
	@$(CACHE); $(PIP) install --only-binary :all: 'atheris>=3' || true
	@touch .venv/ready-fuzz

.venv/built-$(MODE): .venv/ready $(SOURCES)
	@echo "swapfast: bringing the compiled core up to date"
	@"$(VENV)" setup.py --quiet build_ext --inplace $(if $(wildcard .venv/built-$(OTHER_MODE)),--force)
	@rm -f .venv/built-$(OTHER_MODE) && touch .venv/built-$(MODE)

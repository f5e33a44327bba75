# Kontor. `make` alone tells what there is.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo core dev judges acoustics speech system outside servers alsa test test-kernel test-page pytest slow fuzz fuzz-ci lint typecheck imports format mutants measurements panel-pictures firmware hardware lock train-residual docs \
	docs-check bench-audio bench-bridge bench-demo bench-call bench-engines bench-fleet bench-idle bench-mouth-to-ear bench-page bench-panel bench-playout bench-recovery bench-room bench-scale bench-start deb image image-verify image-lock image-packages sbom test-deb test-network test-image test-update test-systemd test-engines tools-livekit clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: core ## a room with one device, on this machine (ARGS="--record heard.wav" and others: make demo ARGS=--help)
	@$(BIN)/kontor demo $(ARGS)

core:
	@$(PYTHON) -m tools.bootstrap core

dev:
	@$(PYTHON) -m tools.bootstrap dev

judges: ## what scores sound in the benchmarks (PESQ, PLCMOS): installed beside the tests
	@$(PYTHON) -m tools.bootstrap bench

speech: ## the demo's recorded speech, once more if it could not be had
	@$(PYTHON) -m tools.speech

system: ## Debian's packages that the tests run beside ours, where they may be installed
	@$(PYTHON) -m tools.system tests

outside: ## WHIP and WHEP clients of others that the tests run, and what checks the page, with npm where there is one
	@$(PYTHON) -m tools.outside
	@$(PYTHON) -m tools.page_tools

servers: ## the server of an engine that Debian has not, for its short cases, where there is Go
	@$(PYTHON) -m tools.livekit server || true

alsa: dev system ## ALSA's library for Python, built where its headers are: for tests and benchmarks of the sound card
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/alsa.txt \
		|| echo "kontor: no ALSA for Python: what needs it skips (apt-get install libasound2-dev)"

acoustics: dev ## what simulates rooms and judges sound, for the tests of both
	@$(PYTHON) -m tools.bootstrap bench || echo "kontor: no judges of sound: what needs them skips (make judges says why)"

test: dev system outside servers alsa acoustics lint typecheck imports docs-check pytest ## everything that must hold: lint, types, imports, documents, tests

pytest: dev ## the tests alone, with branch coverage of core (ARGS=tests/core for some of them)
	@$(BIN)/coverage erase
ifdef ARGS
	@$(BIN)/coverage run --source=appliance.core -m pytest $(ARGS)
else
	@$(BIN)/python -m tools.suites
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --fail-under=100
endif

coverage: dev ## which branches of everything the tests take; slower, as all of it is traced (ARGS as above)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage report

test-kernel: alsa ## sound cards and the panel under a Linux of their own in QEMU (ARGS="-k panel" for some)
	@$(PYTHON) -m tools.system kernel || true
	@KONTOR_WITH=slow $(if $(ARGS),,KONTOR_MEASUREMENTS=docs/measurements) $(PYTEST) -s -m slow tests/kernel $(ARGS)

test-page: dev system outside ## every state of the page at every width, in both themes and languages; the page in Firefox (ARGS="-k gallery" for some)
	@$(PYTHON) -m tools.system page || true
	@$(PYTHON) -m tools.page_tools geckodriver
	@KONTOR_WITH=slow $(PYTEST) tests/page $(ARGS)

test-network: alsa ## Wi-Fi, 802.1X and VLAN through the real NetworkManager under a Linux of their own in QEMU (ARGS="-k peap" for some)
	@$(PYTHON) -m tools.system kernel network || true
	@KONTOR_WITH=slow $(PYTEST) -s -m slow tests/network $(ARGS)

test-engines: dev ## the room contract over every engine: LiveKit, Janus, Telegram beside our own (ARGS="-k livekit" for some; needs root)
	@$(PYTHON) -m tools.system engines || true
	@$(PYTHON) -m tools.livekit || true
	@KONTOR_WITH=engines,slow $(PYTEST) -m "engines or short" tests/contract $(wildcard tests/engines) $(ARGS)

test-systemd: alsa ## the services under a systemd of their own: start, stall, kill, sandbox, polkit (ARGS="-k sandbox" for some; needs root)
	@$(PYTHON) -m tools.system kernel systemd || true
	@KONTOR_WITH=slow $(if $(ARGS),,KONTOR_MEASUREMENTS=docs/measurements) $(PYTEST) -m slow tests/systemd $(ARGS)

test-deb: dev ## the Debian packages in clean roots, arm64 under qemu-user (ARGS=tests/deb/native for some; needs root)
	@$(PYTHON) -m tools.system packages || true
	@KONTOR_WITH=slow $(PYTEST) -m slow $(or $(ARGS),tests/deb)

test-update: dev ## updates of the image of `make image` in QEMU, and a thousand power cuts in them (KONTOR_UPDATE_STATES=100 KONTOR_UPDATE_BOOTS=2 for a short run)
	@$(PYTHON) -m tools.system updates || true
	@KONTOR_UPDATE_STATES=$${KONTOR_UPDATE_STATES:-1000} KONTOR_UPDATE_BOOTS=$${KONTOR_UPDATE_BOOTS:-10} KONTOR_WITH=slow \
		$(if $(ARGS),,KONTOR_MEASUREMENTS=docs/measurements) $(PYTEST) -s -m slow tests/update $(ARGS)

test-image: dev ## the image of `make image` in QEMU: into the room, mute, lamps, ports, starts (ARGS="-k virt" for some; needs root)
	@$(PYTHON) -m tools.system images || true
	@KONTOR_WITH=slow $(if $(ARGS),,KONTOR_MEASUREMENTS=docs/measurements) $(PYTEST) -s -m slow tests/image $(ARGS)

slow: alsa ## the slow suites (ARGS=tests/soak for some of them)
	@case "$(ARGS)" in "" | *kernel*) $(PYTHON) -m tools.system kernel || true;; esac
	@case "$(ARGS)" in "" | *firmware*) $(PYTHON) -m tools.system firmware boards; $(PYTHON) -m tools.bootstrap hardware || true;; esac
	@case "$(ARGS)" in "" | *tools/hardware*) $(PYTHON) -m tools.system hardware; $(PYTHON) -m tools.bootstrap hardware || true;; esac
	@case "$(ARGS)" in "" | *tests/page*) $(PYTHON) -m tools.system page || true; $(PYTHON) -m tools.page_tools geckodriver;; esac
	@case "$(ARGS)" in "" | *tests/network*) $(PYTHON) -m tools.system kernel network || true;; esac
	@case "$(ARGS)" in "" | *tests/image*) $(PYTHON) -m tools.system images || true;; esac
	@case "$(ARGS)" in "" | *tests/update*) $(PYTHON) -m tools.system updates || true;; esac
	@case "$(ARGS)" in "" | *tests/image* | *tests/update*) $(MAKE) --no-print-directory image ARGS= || true;; esac
	@case "$(ARGS)" in "" | *systemd*) $(PYTHON) -m tools.system kernel systemd || true;; esac
	@case "$(ARGS)" in "" | *tests/deb*) $(PYTHON) -m tools.system packages || true;; esac
	@KONTOR_WITH=slow $(PYTEST) -m slow $(ARGS)

fuzz: dev ## wrong input for every parser, without end (ARGS="red http" for some; with atheris where it has a wheel)
	@$(BIN)/python -m pip install --quiet --only-binary :all: --require-hashes -r requirements/fuzz.txt 2>/dev/null \
		|| echo "kontor: no atheris for this Python: the fuzzer does not follow which code is reached"
	@$(BIN)/python -m tests.fuzz.endless $(ARGS)

fuzz-ci: dev ## 50,000 wrong inputs for every parser
	@$(PYTEST) -m slow tests/fuzz

lint: dev ## ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

typecheck: dev ## mypy --strict
	@$(BIN)/mypy

imports: dev ## the rooms of the house: who may import whom
	@$(BIN)/lint-imports --no-cache > .cache/imports.log || { cat .cache/imports.log; exit 1; }
	@tail -n 2 .cache/imports.log

format: dev ## ruff's formatting and safe mends
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

mutants: dev ## changes to what decides on mute, lamps and panel that the tests must notice (ARGS=appliance/panel/memory.py for one file)
	@$(BIN)/python -m tools.mutants $(ARGS)

docs: dev ## the documents that are made from the code
	@$(BIN)/python -m tools.documents

docs-check: dev
	@$(BIN)/python -m tools.documents --check

firmware: dev ## boot files and device-tree overlays of every board, proved on the trees of Debian's kernel (60 MB, once)
	@$(PYTHON) -m tools.system firmware || true
	@$(PYTHON) -m tools.bootstrap hardware
	@$(BIN)/python -m tools.firmware.build

hardware: dev ## circuits of the panel: rules, what breaks, drawings, cables, pages (minutes: every pair of faults)
	@$(PYTHON) -m tools.system hardware || true
	@$(PYTHON) -m tools.bootstrap hardware
	@$(BIN)/python -m tools.hardware

deb: core ## the Debian packages of the last commit, in dist/ (ARGS=trixie-arm64 for one of the four)
	@$(PYTHON) -m tools.system packaging || true
	@$(BIN)/python -m tools.package.build $(ARGS)

image: core ## the SD card's image of the last commit, its update and its bill of materials, in dist/ (10 min; 400 MB once)
	@$(PYTHON) -m tools.system packaging || true
	@$(BIN)/python -m tools.image.build $(ARGS)

image-verify: core ## the image twice, in other folders, zones, languages, on another day: the same bytes? (20 min)
	@$(PYTHON) -m tools.system elsewhere || true
	@$(if $(ARGS),,KONTOR_MEASUREMENTS=docs/measurements) $(BIN)/python -m tools.image.verify $(ARGS)

image-lock: ## which of Debian's packages the image is made of, anew (needs a network)
	@$(PYTHON) -m tools.image.lock

image-packages: core ## everything that the image is made of, in dist/packages/, for a release to carry along (410 MB)
	@$(BIN)/python -m tools.image.cache $(ARGS)

sbom: core ## what the image is made of, with licences, in dist/; and what is known to be wrong with it
	@$(PYTHON) -m tools.system packaging || true
	@$(BIN)/python -m tools.image.sbom $(ARGS)
	@$(BIN)/python -m tools.image.vulnerabilities

panel-pictures: dev ## docs/pictures/panel-*.png: how lamps and ring look, from the bytes that go to them
	@$(BIN)/python -m tools.panel_pictures

measurements: dev ## docs/measurements/README.md from the figures beside it
	@$(BIN)/python -m tools.measurements

train-residual: judges ## the residual gain, anew: simulated rooms (1 h on one core, 4 GB in .cache/training), then the network (1 h)
	@$(PYTHON) -m tools.bootstrap training
	@$(BIN)/python -m tools.training.corpus
	@$(BIN)/python -m tools.training.train $(ARGS)

bench-audio: judges ## echo, double talk, noise, direction in simulated rooms, beside WebRTC and speex (FAST=1 for a short run)
	@$(PYTHON) -m tools.system bench || true
	@$(BIN)/python -m tools.bench.audio $(ARGS)

bench-bridge: dev ## how much later one room hears the other over a bridge, and what it costs (2 min; ARGS="--seconds 20" for a short run)
	@$(BIN)/python -m tools.bench.bridge $(ARGS)

bench-demo: dev system ## a fresh clone to the page, as a new user would
	@$(BIN)/python -m tools.bench.demo $(ARGS)

bench-call: dev ## what a call costs the device
	@$(BIN)/python -m tools.bench.call $(ARGS)

bench-engines: dev system ## what each engine costs, and how soon it joins, mutes and is back (15 min, needs root; ARGS="--quick --only janus")
	@$(BIN)/python -m tools.bench.engines $(ARGS)

bench-fleet: dev ## how soon forty rooms follow a change, and are back after a bad one (8 min, 2 GB)
	@$(BIN)/python -m tools.bench.fleet $(ARGS)

bench-idle: dev ## what a device costs while nobody talks, for half an hour (ARGS="--minutes 2" for a short run)
	@$(BIN)/python -m tools.bench.idle $(ARGS)

bench-mouth-to-ear: alsa judges ## from one mouth to the other's ear, beside Chromium (ARGS="--seconds 20" for a short run)
	@$(PYTHON) -m tools.system bench || true
	@$(BIN)/python -m tools.bench.mouth_to_ear $(ARGS)

bench-playout: judges ## the receive buffer: quality at losses and jitter against the codec's ceiling and aiortc
	@$(BIN)/python -m tools.bench.playout $(ARGS)

bench-page: dev system ## what the page weighs, how soon it draws a level, what two hundred members cost it (5 min)
	@$(BIN)/python -m tools.bench.page $(ARGS)

bench-panel: dev ## from a press to the gate and to the lamp, and what lamps and ring cost (8 min)
	@$(BIN)/python -m tools.bench.panel $(ARGS)

bench-recovery: dev system ## how soon sound is back after a cut, on another address, from another host (needs root)
	@$(BIN)/python -m tools.bench.recovery $(ARGS)

bench-scale: dev system ## listeners a core of every server, and what rooms of thousands cost a device and a page (4 min; Streaming needs root)
	@$(PYTHON) -m tools.system janus || true
	@$(BIN)/python -m tools.bench.scale $(ARGS)

bench-start: dev ## how soon sound, link and provision are ready (a minute; ARGS="--before FOLDER" compares with another checkout)
	@$(BIN)/python -m tools.bench.start $(ARGS)

bench-room: dev ## what a room costs its host, beside LiveKit's server and Janus (ARGS=quick prints a short run)
	@$(PYTHON) -m tools.system janus || true
	@$(BIN)/python -m tools.bench.room $(ARGS)

tools-livekit: ## LiveKit's server and our load client for it, built from source (needs Go)
	@$(PYTHON) -m tools.livekit

lock: ## new lock files, proved for every target (needs a network)
	@$(PYTHON) -m tools.lock

clean: ## everything that can be made again, but the environment
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* .cache/imports.log *.egg-info
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

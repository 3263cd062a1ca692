# A thin front: set-up is tools/bootstrap, the build is CMake's.  `make help` lists the targets.
PRESET  ?= release
PREFIX  ?= /usr/local
DESTDIR ?=
JOBS    ?=
FUZZ_TIME ?= 60
KILLS   ?= 200
LINT    ?= changed
DEVICE  ?= cpu

BUILD = tools/build $(1) $(if $(JOBS),-j$(JOBS))

.PHONY: all demo test test-kill test-asan test-tsan fuzz lint bench matrix install uninstall deb clean help

all: ## set up this machine and build
	@tools/bootstrap
	@$(call BUILD,$(PRESET))

engine-%: ## fetch and build one more engine; DEVICE=cuda: its library for CUDA (again DEVICE=cpu: the CPU's)
	@tools/bootstrap engine:$*$(if $(filter cpu,$(DEVICE)),,-$(DEVICE))
	@$(call BUILD,$(PRESET)) --configure-again -DASSAY_DEVICE_$*=$(DEVICE)

loadgen-%: ## fetch and build the LoadGen of an older round: loadgen-6.0.15 (v6.0), 5.1.2 (v5.1), 5.0.20, 5.0.2
	@tools/bootstrap loadgen:$*
	@$(call BUILD,$(PRESET)) --configure-again

demo: all ## build, then the main job: ResNet-50, Offline, on synthetic weights and images
	@build/$(PRESET)/bin/assay run resnet50 --scenario Offline

test: all ## build and run every test
	@tools/run-tests build/$(PRESET)

test-kill: all ## the tests that kill processes at random moments, at KILLS of them (200) instead of a few dozen
	@ASSAY_KILLS=$(KILLS) tools/run-tests build/$(PRESET) -R '^(flow_test_kill|python_test_get)$$' --timeout 1800

test-asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/bootstrap
	@$(call BUILD,asan)
	@tools/run-tests build/asan

test-tsan: ## the tests that have threads of ours, under ThreadSanitizer
	@tools/bootstrap
	@$(call BUILD,tsan)
	@tools/run-tests build/tsan -L tsan

fuzz: ## every fuzz target for FUZZ_TIME seconds (60)
	@tools/bootstrap fuzz
	@$(call BUILD,fuzz)
	@tools/run-fuzz build/fuzz $(FUZZ_TIME)

lint: ## layout, clang-tidy (LINT=all: every file), rooms, banned functions, public headers alone
	@tools/bootstrap lint
	@$(call BUILD,clang) --configure-again --configure-only
	@tools/lint $(LINT)

bench: all ## the performance suite: ratios against bare LoadGen and the bare engine
	@bench/run build/$(PRESET)

matrix: all ## every benchmark on every engine in every scenario: what works here; hours, resumable
	@build/$(PRESET)/bin/assay matrix

install: all ## install below PREFIX (/usr/local); DESTDIR is put in front
	@DESTDIR="$(DESTDIR)" cmake --install build/$(PRESET) --prefix "$(PREFIX)"

uninstall: ## remove what the last `make install` of this tree put there
	@sed 's|^|$(DESTDIR)|' build/$(PRESET)/install_manifest.txt | xargs -r -d '\n' rm -fv

deb: all ## a Debian package in build/
	@cd build/$(PRESET) && cpack -G DEB -B ..

clean: ## remove everything built (the downloads stay in the user's cache)
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z%-]*\):.*## /  make \1\t/p' Makefile | sed 's/%/NAME/' | expand -t 20

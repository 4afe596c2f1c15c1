# How to build and test ipvsproxy; `make help` lists the targets. Meson does the building.
.DEFAULT_GOAL := build
.PHONY: help deps build check demo bench bench-check fuzz lint deb clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

deps: ## install what is missing of the Debian packages in .ci/packages (root or sudo)
	@.ci/deps

build: deps ## build/ipvsproxy, optimised
	@tests/check build

check: deps ## every test there is: sanitizers, a real kernel in user-mode Linux, kube-proxy's recorded states, the demo
	@tests/check

demo: build ## see it at work in a minute: real traffic, tampering, healing; never on this host's network
	@tests/demo/run build/ipvsproxy

bench: build ## what it costs with 10 to 10000 services of 5 endpoints (SHAPES="SERVICESxENDPOINTS ...")
	@ninja -C build --quiet tests/bench/bench
	@tests/bench/run $(SHAPES)

bench-check: deps ## instructions, netlink requests and memory against tests/bench/baseline.json
	@tests/check bench

fuzz: deps ## a minute of libFuzzer for each decoder (FUZZ_SECONDS=60)
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) tests/check fuzz

lint: deps ## clang-format, the include graph, clang-tidy on every source (or on TIDY="FILE ...")
	@TIDY="$(TIDY)" tests/check format structure tidy

deb: ## the Debian package, in build/deb
	@manifests/debian/build build/deb

clean: ## remove all build folders
	rm -rf build build-asan build-ubsan build-tsan build-fuzz

# SPDX-License-Identifier: GPL-2.0-only
#
# Every command that a person types. `make help` lists them.

BUILD := build
BIN := $(BUILD)/bin
CACHE := $(or $(GLASS_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/glass-vsock)
SERIES := $(shell awk '/^[0-9]/ { print $$1 }' scripts/kernels)
# The first one is the distribution's own. An empty one is none.
override KERNEL := $(or $(KERNEL),$(firstword $(SERIES)))

CFLAGS ?= -O2 -g
override CFLAGS += -Wall -Wextra -Werror
CPPFLAGS += -Iinclude

# As it was typed: a command for the guest is full of dollars that are not for make.
override RUN := $(value RUN)

# What tests/vm/vm reads from its environment.
export KERNEL RUN SHARE STOCK NONE SMP MEM ICOUNT ACCEL MACHINE DEVICE CID UDS VHOST_SOCKET DEADLINE QEMU QEMU_ARGS

.DELETE_ON_ERROR:

all: modules tools ## the module for the default kernel, the BPF programs and the tools

-include tools/tools.mk
-include tests/tests.mk

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

deps: ## install every package needed, without questions
	@scripts/deps

modules: ## the module: KERNEL=6.1 (or 6.12, 7.3, all), at build/<release>/glass_vsock.ko
	@scripts/module-build $(or $(KERNELS),$(KERNEL))

update-kernels: ## look for newer releases of all kernels
	@FETCH=1 scripts/kernel-fetch all

sparse: ## run sparse over the module; its warnings are errors
	@scripts/module-build --sparse $(KERNEL)

# Standard output is the command's own.
vm: ## a guest: KERNEL= RUN='command' SHARE=dir STOCK=1 SMP= MEM= ICOUNT=1 MACHINE=... (see tests/vm/vm)
	@tests/vm/vm --check
	@$(MAKE) --no-print-directory $(if $(filter 1,$(STOCK) $(NONE)),,modules) tools >&2
	@tests/vm/vm

demo: deps ## the whole line at work: data, tools and counters, in a minute
	@$(MAKE) --no-print-directory all
	@tests/demo/demo

check: deps ## all tests, on all kernels
	@$(MAKE) --no-print-directory modules KERNEL=all
	@$(MAKE) --no-print-directory tools tests
	@tests/run

check-full: deps ## what check leaves out: Linux's own tests with every stock guest, and over vhost
	@$(MAKE) --no-print-directory modules KERNEL=all
	@$(MAKE) --no-print-directory tests
	@KERNELS=all PEERS='$(SERIES) vhost' tests/run conformance

conformance-doc: ## write what the last runs of Linux's own tests brought into docs/conformance.md
	@tests/conformance/matrix --doc

hostile-doc: ## write what the last runs of check-hostile brought into docs/robustness.md
	@tests/guest/hostile/table

clean: ## remove build/
	rm -rf $(BUILD)

distclean: clean ## clean; the cache of kernels stays, and this says where
	@if [ -d '$(CACHE)' ]; then echo "left: $(CACHE) ($$(du -sh '$(CACHE)' | cut -f 1)): remove it by hand to fetch everything anew"; fi

.PHONY: all help deps modules update-kernels sparse vm demo check check-full conformance-doc hostile-doc clean distclean tools

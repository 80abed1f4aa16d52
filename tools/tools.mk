# SPDX-License-Identifier: GPL-2.0-only
#
# The BPF programs and the tools. BUILD, BIN, CACHE and CFLAGS come from the top Makefile.

VERSION := 0.1.0
TOOLS := $(BIN)/vsockstat $(BIN)/vsocktrace

# Whose types the BPF programs are compiled with; loading them finds each field by its name.
TYPES_KERNEL := $(shell awk '/^[0-9]/ { print $$1; exit }' scripts/kernels)
BPFTOOL := PATH=$$PATH:/usr/sbin bpftool
BPF_CFLAGS := -target bpf -O2 -g -Wall -Werror -I. -Iinclude -I$(BUILD)

TOOLS_LIBS := -Wl,--as-needed -lbpf -lmnl -lsmartcols -ljansson
TOOLS_INCLUDES := -I. -Iinclude -Itools -I$(BUILD)/bpf -DGLASS_VSOCK_VERSION='"$(VERSION)"'
TOOLS_CFLAGS = $(CFLAGS) -D_GNU_SOURCE -Wno-unused-parameter $(TOOLS_INCLUDES) -MMD -MP

tool_objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/$(1)/*.c))
TOOLS_COMMON := $(call tool_objects,common)
TOOLS_OBJECTS := $(TOOLS_COMMON) $(call tool_objects,vsockstat) $(call tool_objects,vsocktrace)
SKELETONS := $(patsubst %.bpf.c,$(BUILD)/%.skel.h,$(wildcard bpf/*.bpf.c))

.SECONDARY: $(SKELETONS) $(SKELETONS:.skel.h=.bpf.o)
.PHONY: tools
tools: $(TOOLS)
	@:

# What is missing is named before it makes a compiler fail. Looked at again only when a package came or went.
$(BUILD)/.packages: scripts/packages $(wildcard /var/lib/dpkg/status)
	@mkdir -p $(@D)
	@scripts/deps --check
	@touch $@

# Everything here is made from this first.
$(BUILD)/vmlinux.h: tools/tools.mk | $(BUILD)/.packages
	@mkdir -p $(@D)
	release=$$(scripts/kernel-fetch $(TYPES_KERNEL)) && \
	$(BPFTOOL) btf dump file "$(CACHE)/kernels/$$release/vmlinux.btf" format c >$@.new
	mv $@.new $@

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/vmlinux.h
	@mkdir -p $(@D)
	clang $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf >$@

$(BUILD)/tools/%.o: tools/%.c | $(SKELETONS)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -c $< -o $@

$(BIN)/vsockstat $(BIN)/vsocktrace: $(BIN)/%: $(TOOLS_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter $(BUILD)/tools/common/% $(BUILD)/tools/$*/%,$^) $(TOOLS_LIBS) -o $@

-include $(TOOLS_OBJECTS:.o=.d) $(patsubst %.skel.h,%.bpf.d,$(SKELETONS))

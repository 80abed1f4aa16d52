# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of the tools, included by tests/tests.mk: tools_host runs anywhere, tools_guest in a guest
# with the driver. Both run the tools that lie beside them in $(BIN).

TESTS += $(T)/tools_host $(T)/tools_guest
TOOLS_TEST_SOURCES := $(filter-out %.bpf.c,$(wildcard tests/tools/*.c))
TOOLS_TEST_OBJECTS := $(TOOLS_TEST_SOURCES:tests/%.c=$(T)/obj/%.o)

$(TOOLS_TEST_OBJECTS): TFLAGS += $(TOOLS_INCLUDES) -I$(T)/obj/tools
$(TOOLS_TEST_OBJECTS): | $(SKELETONS) $(T)/obj/tools/contract.skel.h

$(T)/obj/tools/contract.bpf.o: tests/tools/contract.bpf.c $(BUILD)/vmlinux.h
	@mkdir -p $(@D)
	clang $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(T)/obj/tools/contract.skel.h: $(T)/obj/tools/contract.bpf.o
	$(BPFTOOL) gen skeleton $< name contract_bpf >$@

$(T)/tools_host: $(addprefix $(T)/obj/,tools/tools_host.o tools/command.o lib/run.o) \
		$(TOOLS_COMMON) $(filter-out %/main.o,$(call tool_objects,vsockstat)) | $(TOOLS)
	$(CC) -o $@ $^ $(TOOLS_LIBS) $(TLIBS)

$(T)/tools_guest: $(filter-out %/tools_host.o,$(TOOLS_TEST_OBJECTS)) \
		$(addprefix $(T)/obj/lib/,run.o vsock.o data.o counters.o) | $(TOOLS)
	$(CC) -o $@ $^ $(TOOLS_LIBS) $(TLIBS)

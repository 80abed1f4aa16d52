# SPDX-License-Identifier: GPL-2.0-only
#
# The tests' programs, under $(BUILD)/tests, and a target for each part of `make check`. All but
# check-unit run in guests; KERNEL= chooses one, KERNELS= several.

BUILD	?= build
T	:= $(BUILD)/tests
TFLAGS	:= -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Iinclude -Itests/lib -MMD -MP
TLIBS	:= -lcunit -lpthread
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined

# The tools' tests have their rules beside them; they add to TESTS.
TESTS	:= $(addprefix $(T)/,unit fuzz_packet semantics module suspend trace observe calls stream timeout32 \
	with-peer interop programs side device hostile fuzz_guest)
-include tests/tools/tools-tests.mk

TEST_LIB := $(addprefix $(T)/obj/lib/,run.o data.o vsock.o counters.o module.o)
PEER	:= $(T)/obj/interop/peer.o $(T)/obj/lib/data.o

objects	= $(patsubst tests/%.c,$(T)/obj/%.o,$(wildcard $(1)))

.PHONY: tests check-unit check-guest check-interop check-conformance check-tools check-hostile fuzz
tests: $(TESTS)

check-unit: $(T)/unit $(T)/fuzz_packet $(T)/tools_host ## pure code, in user space, with sanitizers and a fuzzer
	tests/run unit

check-guest: ## the semantics of every call, in a guest: KERNEL=
check-interop: ## against the host and stock guests, and programs as they are: KERNEL=
check-tools: ## what the tools print against what was done: KERNEL=
check-hostile: ## against a device that misbehaves: KERNEL=
check-guest check-interop check-tools check-hostile: check-%: modules tools tests
	tests/run $*

# The other programs come from elsewhere; its scripts build them.
check-conformance: check-%: modules $(T)/side ## Linux's own tests: KERNEL= PEERS='local 6.12 vhost' STOCK=1
	tests/run $*

$(T)/obj/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(TFLAGS) -c -o $@ $<

$(T)/semantics: $(call objects,tests/guest/semantics/*.c) $(TEST_LIB)
	$(CC) -o $@ $^ $(TLIBS) -luring

$(T)/observe: $(call objects,tests/guest/observe/*.c) $(TEST_LIB)
	$(CC) -o $@ $^ -lpcap -lmnl $(TLIBS)

$(T)/calls: $(call objects,tests/guest/calls/*.c) $(TEST_LIB)
	$(CC) -o $@ $^ -luring -lmnl $(TLIBS)

# It must not have a file open that is on 9p.
$(T)/suspend: LDFLAGS += -static

$(T)/module $(T)/suspend $(T)/trace $(T)/stream: $(T)/%: $(T)/obj/guest/%.o $(TEST_LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(TLIBS)

# The kernel takes other layouts from programs of 32 bits.
$(T)/timeout32: tests/guest/timeout32.c
	@mkdir -p $(@D)
	$(CC) $(TFLAGS) -m32 -static -o $@ $<

$(T)/with-peer: $(T)/obj/interop/with-peer.o $(PEER)
	$(CC) -o $@ $^ $(TLIBS)

$(T)/interop: $(addprefix $(T)/obj/interop/,interop.o guest.o) $(PEER) $(T)/obj/lib/run.o
	$(CC) -o $@ $^ $(TLIBS)

$(T)/programs: $(T)/obj/interop/programs.o $(T)/obj/lib/run.o
	$(CC) -o $@ $^ $(TLIBS)

# A process of its own, beside QEMU.
$(T)/device: $(call objects,tests/device/*.c) $(T)/obj/lib/data.o
	$(CC) -o $@ $^

$(T)/hostile: $(call objects,tests/guest/hostile/*.c) $(TEST_LIB)
	$(CC) -o $@ $^ $(TLIBS)

$(T)/fuzz_guest: $(T)/obj/guest/fuzz.o $(T)/obj/lib/data.o
	$(CC) -o $@ $^

fuzz: modules tests ## a device that breaks packets at random: SECONDS=60 SEED=1 KERNEL=
	@tests/device/fuzz $(or $(SECONDS),60) $(or $(SEED),1)

# It runs where a program that has to be linked first starts in seconds.
$(T)/side: tests/conformance/side.c
	@mkdir -p $(@D)
	$(CC) $(TFLAGS) -static -o $@ $<

# Pure code of the driver, in user space.
PURE	:= kernel/packet.c kernel/credit.c

$(T)/unit: $(wildcard tests/unit/unit*.c) tests/lib/run.c tests/lib/data.c $(PURE)
	@mkdir -p $(@D)
	$(CC) $(TFLAGS) -Ikernel $(SANITIZE) -o $@ $(filter %.c,$^) $(TLIBS)

$(T)/fuzz_packet: tests/unit/fuzz_packet.c $(PURE)
	@mkdir -p $(@D)
	clang $(TFLAGS) -Ikernel -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o $@ $(filter %.c,$^)

-include $(wildcard $(T)/*.d $(T)/obj/*/*.d $(T)/obj/*/*/*.d)

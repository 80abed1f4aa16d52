/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel modules and their memory, in a test, as root.  What does not fit ends the test. */
#ifndef TESTS_LIB_MODULE_H
#define TESTS_LIB_MODULE_H

#include <stdbool.h>

bool module_loaded(const char *module);

/* Sockets let go of the module when RCU has freed them, which nobody tells: wait up to 5 s. */
void module_await_unused(const char *module);

/* At once: -1 with errno, EAGAIN if it is in use. */
int module_unload_now(const char *module);

/* When it is unused. */
void module_unload(const char *module);

/* How many slab caches there are whose names begin so. */
int slab_caches(const char *prefix);

/* How many objects of one are in use. */
long slab_objects(const char *name);

#endif

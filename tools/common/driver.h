/* SPDX-License-Identifier: GPL-2.0-only */
/* Which vsock driver is loaded, and whether it speaks the contract these programs know. */
#ifndef DRIVER_H
#define DRIVER_H

#include "glass_vsock.h"

#define DRIVER_STRING_(x)	#x
#define DRIVER_STRING(x)	DRIVER_STRING_(x)

/* What --version says. */
#define DRIVER_VERSION(program) \
	program " " GLASS_VSOCK_VERSION " (contract " DRIVER_STRING(GLASS_VSOCK_CONTRACT) ")"

/* Both end the program with one line: there is no driver, or its contract is another one. */
void driver_require_any(void);
void driver_require_glass(void);

#endif

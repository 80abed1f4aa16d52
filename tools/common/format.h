/* SPDX-License-Identifier: GPL-2.0-only */
/* How the tools write an address, a duration, an error and a process, for people. */
#ifndef FORMAT_H
#define FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define FORMAT_ADDRESS_LEN	sizeof("4294967295:4294967295")
#define FORMAT_DURATION_LEN	sizeof("213503d23h")
#define FORMAT_ERROR_LEN	sizeof("ENOTRECOVERABLE")

/* CID:PORT, with * for "any". */
char *format_address(char out[FORMAT_ADDRESS_LEN], uint32_t cid, uint32_t port);

/* About three digits, cut off rather than rounded: 840us, 12.3ms, 59.9s, 4m05s, 2d04h. */
char *format_duration(char out[FORMAT_DURATION_LEN], uint64_t ns);

/* OK, ECONNRESET, or the number of an errno without a name. */
char *format_error(char out[FORMAT_ERROR_LEN], unsigned int error);

/* A process may have any name, escape sequences too: all but printable ASCII becomes '?'. */
char *format_comm(char *comm);

#endif

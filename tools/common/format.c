// SPDX-License-Identifier: GPL-2.0-only
#include "common/format.h"

#include <inttypes.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>

#define USEC	UINT64_C(1000)
#define MSEC	(1000 * USEC)
#define SEC	(1000 * MSEC)
#define MINUTE	(60 * SEC)
#define HOUR	(60 * MINUTE)
#define DAY	(24 * HOUR)

static char *put_number(char *out, uint32_t value, uint32_t any)
{
	return value == any ? stpcpy(out, "*") : out + sprintf(out, "%" PRIu32, value);
}

char *format_address(char out[FORMAT_ADDRESS_LEN], uint32_t cid, uint32_t port)
{
	char *end = put_number(out, cid, VMADDR_CID_ANY);

	*end++ = ':';
	put_number(end, port, VMADDR_PORT_ANY);
	return out;
}

char *format_duration(char out[FORMAT_DURATION_LEN], uint64_t ns)
{
	if (ns < MSEC)
		sprintf(out, "%" PRIu64 "us", ns / USEC);
	else if (ns < SEC)
		sprintf(out, "%" PRIu64 ".%" PRIu64 "ms", ns / MSEC, ns % MSEC / (100 * USEC));
	else if (ns < MINUTE)
		sprintf(out, "%" PRIu64 ".%" PRIu64 "s", ns / SEC, ns % SEC / (100 * MSEC));
	else if (ns < HOUR)
		sprintf(out, "%" PRIu64 "m%02" PRIu64 "s", ns / MINUTE, ns % MINUTE / SEC);
	else if (ns < DAY)
		sprintf(out, "%" PRIu64 "h%02" PRIu64 "m", ns / HOUR, ns % HOUR / MINUTE);
	else
		sprintf(out, "%" PRIu64 "d%02" PRIu64 "h", ns / DAY, ns % DAY / HOUR);
	return out;
}

char *format_error(char out[FORMAT_ERROR_LEN], unsigned int error)
{
	const char *name = error ? strerrorname_np(error) : "OK";

	if (name)
		snprintf(out, FORMAT_ERROR_LEN, "%s", name);
	else
		snprintf(out, FORMAT_ERROR_LEN, "%u", error);
	return out;
}

char *format_comm(char *comm)
{
	for (char *c = comm; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return comm;
}

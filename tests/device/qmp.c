// SPDX-License-Identifier: GPL-2.0-only
/* What a person would say to QEMU (QMP), in as many words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "qmp.h"

#define DEVICE	"vsock"		/* in tests/vm/vm */

static FILE *qmp_open(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		perror("device: QMP");
		exit(1);
	}
	return fdopen(fd, "r");
}

/* The next line that says one of these. */
static void await(FILE *qmp, const char *what, const char *and)
{
	char line[4096];

	while (fgets(line, sizeof(line), qmp)) {
		if (strstr(line, "\"error\""))
			break;
		if (strstr(line, what) && strstr(line, and))
			return;
	}
	fprintf(stderr, "device: QMP, waiting for %s: %s\n", what, line);
	exit(1);
}

static void say(FILE *qmp, const char *command)
{
	dprintf(fileno(qmp), "%s\n", command);
}

static void say_and_wait(FILE *qmp, const char *command)
{
	say(qmp, command);
	await(qmp, "\"return\"", "");
}

void qmp_replug(const char *path, const char *socket)
{
	FILE *qmp = qmp_open(path);
	char command[512];

	await(qmp, "\"QMP\"", "");
	say_and_wait(qmp, "{'execute': 'qmp_capabilities'}");
	/* The guest has to let go of it: the event may come before the answer. */
	say(qmp, "{'execute': 'device_del', 'arguments': {'id': '" DEVICE "'}}");
	await(qmp, "\"DEVICE_DELETED\"", "\"device\": \"" DEVICE "\"");
	say_and_wait(qmp, "{'execute': 'chardev-remove', 'arguments': {'id': '" DEVICE "'}}");
	snprintf(command, sizeof(command),
		 "{'execute': 'chardev-add', 'arguments': {'id': '" DEVICE "', 'backend': "
		 "{'type': 'socket', 'data': {'server': false, 'addr': "
		 "{'type': 'unix', 'data': {'path': '%s'}}}}}}", socket);
	say_and_wait(qmp, command);
	say_and_wait(qmp, "{'execute': 'device_add', 'arguments': {'driver': "
		     "'vhost-user-vsock-pci', 'id': '" DEVICE "', 'chardev': '" DEVICE "'}}");
	fclose(qmp);
}

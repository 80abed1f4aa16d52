/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_DEVICE_QMP_H
#define TESTS_DEVICE_QMP_H

/*
 * Have the QEMU that listens for QMP at PATH take the vsock device of
 * tests/vm/vm out of its guest, and plug in another one, which is served at
 * SOCKET.  Ends the process if that cannot be.
 */
void qmp_replug(const char *path, const char *socket);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What vsockstat can say of a socket. */
#ifndef COLUMNS_H
#define COLUMNS_H

#include "table.h"

/* Rows are struct socket. */
extern const struct view connections_view, listeners_view, sockets_view;

#endif

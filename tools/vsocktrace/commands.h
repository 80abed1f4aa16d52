/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of vsocktrace; argv[0] is the name that a command's messages begin with. */
#ifndef COMMANDS_H
#define COMMANDS_H

int connect_main(int argc, char **argv);

#endif

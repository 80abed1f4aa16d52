/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists of things, printed as a table or as JSON, with the columns somebody asked for. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_MAX_COLUMNS 64

struct column {
	const char *name;		/* lower-cased in JSON */
	const char *help;
	bool number;			/* to the right; in JSON without quotes */
	size_t offset;			/* for the cell function's use */

	/* The text of a cell, to be freed, or NULL where there is nothing to say. */
	char *(*cell)(const struct column *column, const void *row, bool json);
};

/* One kind of list: @columns ends with a column without a name. */
struct view {
	const char *name;		/* of the list in JSON */
	const struct column *columns;
	const char *usual;		/* the columns of a table nobody chose columns for */
	size_t row_size;
};

struct table_options {
	const char *output;		/* NAME,NAME...; +NAME adds to the usual ones */
	bool output_all;
	bool json;			/* with all columns unless some are chosen */
	bool no_headings;
};

void table_print(const struct view *view, const struct table_options *options,
		 const void *rows, size_t count);

/* Whether table_print() would show this column. */
bool table_shows(const struct view *view, const struct table_options *options, const char *name);

/* The name, of which @len bytes count, of the first column of @list that @view lacks; or NULL. */
const char *table_unknown_column(const struct view *view, const char *list, int *len);

void table_help(const struct view *view, FILE *out);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "table.h"

#include <err.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

struct selection {
	const struct column *columns[TABLE_MAX_COLUMNS];
	size_t count;
};

static const struct column *find_column(const struct view *view, const char *name, size_t len)
{
	for (const struct column *column = view->columns; column->name; column++)
		if (strlen(column->name) == len && !strncasecmp(column->name, name, len))
			return column;
	return NULL;
}

/* Each at most once: an object in JSON must not have two fields of a name. */
static void select_column(const struct column *column, struct selection *selection)
{
	for (size_t i = 0; i < selection->count; i++)
		if (selection->columns[i] == column)
			return;
	selection->columns[selection->count++] = column;
}

/* Adds the columns of a list; the first name there is no column for ends it and is returned. */
static const char *select_list(const struct view *view, const char *list,
			       struct selection *selection)
{
	for (;;) {
		size_t len = strcspn(list, ",");
		const struct column *column = find_column(view, list, len);

		if (!column)
			return list;
		select_column(column, selection);
		if (!list[len])
			return NULL;
		list += len + 1;
	}
}

static const char *select_columns(const struct view *view, const char *list,
				  struct selection *selection)
{
	if (*list == '+') {
		select_list(view, view->usual, selection);
		list++;
	}
	return select_list(view, list, selection);
}

const char *table_unknown_column(const struct view *view, const char *list, int *len)
{
	struct selection selection = {};
	const char *unknown = select_columns(view, list, &selection);

	if (unknown)
		*len = strcspn(unknown, ",");
	return unknown;
}

static void choose_columns(const struct view *view, const struct table_options *options,
			   struct selection *selection)
{
	if (options->output_all || (options->json && !options->output)) {
		for (const struct column *column = view->columns; column->name; column++)
			select_column(column, selection);
		return;
	}
	select_columns(view, options->output ?: view->usual, selection);
}

bool table_shows(const struct view *view, const struct table_options *options, const char *name)
{
	struct selection selection = {};

	choose_columns(view, options, &selection);
	for (size_t i = 0; i < selection.count; i++)
		if (!strcmp(selection.columns[i]->name, name))
			return true;
	return false;
}

static void add_column(struct libscols_table *table, const struct column *column)
{
	int flags = column->number ? SCOLS_FL_RIGHT : 0;
	int json_type = column->number ? SCOLS_JSON_NUMBER : SCOLS_JSON_STRING;
	struct libscols_column *added = scols_table_new_column(table, column->name, 0, flags);

	if (!added || scols_column_set_json_type(added, json_type))
		err(EXIT_FAILURE, "cannot make a table");
}

static void add_row(struct libscols_table *table, const struct selection *selection,
		    const void *row, bool json)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		err(EXIT_FAILURE, "cannot make a table");
	for (size_t i = 0; i < selection->count; i++) {
		const struct column *column = selection->columns[i];
		char *text = column->cell(column, row, json);

		if (text && scols_line_refer_data(line, i, text))
			err(EXIT_FAILURE, "cannot make a table");
	}
}

void table_print(const struct view *view, const struct table_options *options,
		 const void *rows, size_t count)
{
	struct libscols_table *table = scols_new_table();
	struct selection selection = {};

	if (!table || scols_table_set_name(table, view->name))
		err(EXIT_FAILURE, "cannot make a table");
	scols_table_enable_json(table, options->json);
	scols_table_enable_noheadings(table, options->no_headings);

	choose_columns(view, options, &selection);
	for (size_t i = 0; i < selection.count; i++)
		add_column(table, selection.columns[i]);
	for (size_t i = 0; i < count; i++)
		add_row(table, &selection, (const char *)rows + i * view->row_size, options->json);

	scols_print_table(table);
	scols_unref_table(table);
}

void table_help(const struct view *view, FILE *out)
{
	for (const struct column *column = view->columns; column->name; column++)
		fprintf(out, "  %-22s %s\n", column->name, column->help);
}

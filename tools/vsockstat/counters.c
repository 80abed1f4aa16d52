// SPDX-License-Identifier: GPL-2.0-only
#include "counters.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool parse_line(const char *line, struct counter *counter)
{
	int end = 0;

	return sscanf(line, "%63s %" SCNu64 "%n", counter->name, &counter->value, &end) == 2 &&
	       !strcmp(line + end, "\n");
}

struct counter *counters_parse(FILE *file, bool zeros, size_t *count)
{
	struct counter counter;
	char *list = NULL, line[256];
	size_t size = 0;
	FILE *stream = open_memstream(&list, &size);

	if (!stream)
		err(EXIT_FAILURE, "cannot read counters");
	while (fgets(line, sizeof(line), file)) {
		if (!parse_line(line, &counter))
			errx(EXIT_FAILURE, "%s: '%.*s' is not a counter", COUNTERS_FILE,
			     (int)strcspn(line, "\n"), line);
		if (counter.value || zeros)
			fwrite(&counter, sizeof(counter), 1, stream);
	}
	if (ferror(file) || fclose(stream))
		err(EXIT_FAILURE, "cannot read counters from %s", COUNTERS_FILE);

	*count = size / sizeof(struct counter);
	return (struct counter *)list;
}

static char *name(const struct column *column, const void *row, bool json)
{
	return strdup(((const struct counter *)row)->name);
}

static char *value(const struct column *column, const void *row, bool json)
{
	char *text;

	return asprintf(&text, "%" PRIu64, ((const struct counter *)row)->value) < 0 ? NULL : text;
}

static const struct column columns[] = {
	{ .name = "NAME", .help = "the counter's name", .cell = name },
	{ .name = "VALUE", .help = "its total since the driver was loaded",
	  .cell = value, .number = true },
	{}
};

const struct view counters_view = {
	.name = "counters",
	.columns = columns,
	.usual = "NAME,VALUE",
	.row_size = sizeof(struct counter),
};

// SPDX-License-Identifier: GPL-2.0-only
/* What is to be done in a while: few at a time, so a list without an order. */
#include <stdlib.h>
#include <time.h>

#include "vsock.h"

struct timer {
	LIST_ENTRY(timer) node;
	uint64_t at;
	struct session *session;
	void (*run_session)(struct session *s);
	void (*run_device)(struct device *dev);
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static struct timer *timer_add(struct device *dev, unsigned int ms)
{
	struct timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		abort();
	timer->at = now_ms() + ms;
	LIST_INSERT_HEAD(&dev->timers, timer, node);
	return timer;
}

void session_later(struct session *s, unsigned int ms, void (*run)(struct session *s))
{
	struct timer *timer = timer_add(s->dev, ms);

	timer->session = s;
	timer->run_session = run;
}

void device_later(struct device *dev, unsigned int ms, void (*run)(struct device *dev))
{
	timer_add(dev, ms)->run_device = run;
}

void timers_forget(struct device *dev, const struct session *s)
{
	struct timer *timer = LIST_FIRST(&dev->timers), *next;

	for (; timer; timer = next) {
		next = LIST_NEXT(timer, node);
		if (s && timer->session != s)
			continue;
		LIST_REMOVE(timer, node);
		free(timer);
	}
}

int device_wait(const struct device *dev)
{
	uint64_t now = now_ms(), first = UINT64_MAX;
	const struct timer *timer;

	LIST_FOREACH(timer, &dev->timers, node)
		first = timer->at < first ? timer->at : first;
	if (first == UINT64_MAX)
		return -1;
	return first > now ? first - now : 0;
}

static struct timer *timer_due(struct device *dev, uint64_t now)
{
	struct timer *timer;

	LIST_FOREACH(timer, &dev->timers, node) {
		if (timer->at <= now)
			return timer;
	}
	return NULL;
}

/* One that runs may add others, or take them away: look anew each time. */
void device_timers(struct device *dev)
{
	uint64_t now = now_ms();
	struct timer *timer;

	while ((timer = timer_due(dev, now))) {
		LIST_REMOVE(timer, node);
		if (timer->session)
			timer->run_session(timer->session);
		else
			timer->run_device(dev);
		free(timer);
	}
}

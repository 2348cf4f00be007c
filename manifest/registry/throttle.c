/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/throttle.h"

#include <pthread.h>

#include "base/map.h"

enum {
	WIDEST = 16, /* times the first interval */
	TOO_MANY = 429,
};

#define MILLISECOND UINT64_C(1000000)
#define SECOND	    (1000 * MILLISECOND)

/* One host; all of it under the throttle's lock. */
struct host {
	uint64_t interval; /* between two requests; 0: none is kept */
	uint64_t next;	   /* when the next request may be made */
	uint64_t widened;  /* when the interval last grew */
};

struct xb_throttle {
	pthread_mutex_t lock; /* of `hosts` and what is in it */
	struct xb_map *hosts; /* of struct host */
	uint64_t first;	      /* the first interval; constant */
};

struct xb_throttle *xb_throttle_new(unsigned interval_ms)
{
	struct xb_throttle *throttle = xb_calloc(1, sizeof(*throttle));

	(void)pthread_mutex_init(&throttle->lock, NULL);
	throttle->hosts = xb_map_new();
	throttle->first = interval_ms * MILLISECOND;
	return throttle;
}

static int free_host(void *context, const char *key, void *value)
{
	(void)context;
	(void)key;
	free(value);
	return 0;
}

void xb_throttle_free(struct xb_throttle *throttle)
{
	if (throttle == NULL)
		return;
	(void)xb_map_each(throttle->hosts, free_host, NULL);
	xb_map_free(throttle->hosts);
	(void)pthread_mutex_destroy(&throttle->lock);
	free(throttle);
}

uint64_t xb_throttle_ask(struct xb_throttle *throttle, const char *host, uint64_t now)
{
	struct host *h;
	uint64_t wait = 0;

	(void)pthread_mutex_lock(&throttle->lock);
	h = xb_map_get(throttle->hosts, xb_view(host));
	if (h != NULL) {
		wait = h->next > now ? h->next - now : 0;
		h->next = now + wait + h->interval;
	}
	(void)pthread_mutex_unlock(&throttle->lock);
	return wait;
}

/* Several threads are told at once: that counts as once. */
static void widen(const struct xb_throttle *throttle, struct host *h, uint64_t now)
{
	if (h->interval > 0 && now - h->widened < h->interval)
		return;
	h->interval = h->interval == 0 ? throttle->first : 2 * h->interval;
	if (h->interval > WIDEST * throttle->first)
		h->interval = WIDEST * throttle->first;
	h->widened = now;
}

static void slow_down(struct xb_throttle *throttle, const char *host, int64_t seconds, uint64_t now)
{
	struct host *h = xb_map_get(throttle->hosts, xb_view(host));
	uint64_t next;

	if (h == NULL) {
		h = xb_calloc(1, sizeof(*h));
		(void)xb_map_set(throttle->hosts, xb_view(host), h);
	}
	widen(throttle, h, now);
	next = now + (seconds > 0 ? (uint64_t)seconds * SECOND : h->interval);
	if (next > h->next)
		h->next = next;
}

static void speed_up(struct xb_throttle *throttle, const char *host)
{
	struct host *h = xb_map_get(throttle->hosts, xb_view(host));

	if (h == NULL)
		return;
	h->interval -= h->interval / 4;
	if (h->interval < throttle->first / 4)
		h->interval = 0;
}

void xb_throttle_tell(struct xb_throttle *throttle, const char *host, int status, int64_t seconds,
		      uint64_t now)
{
	(void)pthread_mutex_lock(&throttle->lock);
	if (status == TOO_MANY)
		slow_down(throttle, host, seconds, now);
	else if (status < 500)
		speed_up(throttle, host);
	(void)pthread_mutex_unlock(&throttle->lock);
}

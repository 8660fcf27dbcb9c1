/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_LIST_H
#define BEWICK_UTIL_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "util/mem.h"

/* Intrusive doubly linked ring. The head is a struct list of its own. */
struct list {
	struct list *prev;
	struct list *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *item)
{
	item->prev = at->prev;
	item->next = at;
	at->prev->next = item;
	at->prev = item;
}

static inline void list_add_tail(struct list *head, struct list *item)
{
	list_insert_before(head, item);
}

static inline void list_add_head(struct list *head, struct list *item)
{
	list_insert_before(head->next, item);
}

/* Leaves the item alone in a ring of its own: removing twice does no harm. */
static inline void list_del(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define LIST_FOREACH(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
/* The current item may be removed and freed. */
#define LIST_FOREACH_SAFE(it, head)                                                                \
	for (struct list *it = (head)->next, *it##_next_ = it->next; it != (head);                 \
	     it = it##_next_, it##_next_ = it->next)

#endif

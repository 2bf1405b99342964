/* Ranges of a process's memory: arguments and environment. */
#pragma once

#include "kernel.h"
#include "scratch.h"

/* `can_sleep` is a constant. Without it (tracepoints) a page that is not present is a fault;
 * right after exec the pages are present, because exec has just written them. */
INLINE long read_memory(void *to, u64 size, u64 from, struct task_struct *task, int can_sleep)
{
	if (can_sleep)
		return bpf_copy_from_user_task(to, size, (const void *)from, task, 0);
	return bpf_probe_read_user(to, size, (const void *)from);
}

/* Page by page, up to the fault; returns how much there was. */
INLINE u64 append_pages(struct scratch *s, u64 from, u64 length, struct task_struct *task,
			int can_sleep)
{
	u64 start = s->used;
	u64 end = from + length;

	EVERY_LOOP_STAYS
	for (int page = 0; page <= CAPTURE_MAX / PAGE; page++) {
		u64 size = PAGE - (from & (PAGE - 1));
		u8 *to = room(s, PAGE);

		if (from >= end || !to)
			break;
		if (size > end - from)
			size = end - from;
		forget(size);
		if (size > PAGE || read_memory(to, size, from, task, can_sleep))
			break;
		grow(s, size);
		from += size;
	}
	return s->used - start;
}

/* Appends `length` bytes, at most CAPTURE_MAX; returns how many could be read. */
INLINE u64 append_memory(struct scratch *s, u64 from, u64 length, struct task_struct *task,
			 int can_sleep)
{
	u8 *to = room(s, CAPTURE_MAX);

	forget(length);
	if (!to || length > CAPTURE_MAX || !length)
		return 0;
	if (read_memory(to, length, from, task, can_sleep))
		return append_pages(s, from, length, task, can_sleep);
	grow(s, length);
	return length;
}

struct range {
	u64 start, end;
	/* Longer ranges are cut to half of it at the front and half at the end, because padding must
	 * not hide the end. At most CAPTURE_MAX. */
	u64 limit;
};

struct captured {
	u32 *head;
	u32 *tail;
	u64 *total_bytes;
};

/* Returns true if something that should have been captured could not be read. */
INLINE int append_range(struct scratch *s, struct range range, struct captured captured,
			struct task_struct *task, int can_sleep)
{
	u64 total = range.end - range.start;
	u64 half = range.limit / 2;
	u64 front = total;

	if (range.end < range.start)
		return 1;
	*captured.total_bytes = total;
	if (total > range.limit)
		front = half;
	*captured.head = append_memory(s, range.start, front, task, can_sleep);
	if (*captured.head != front)
		return 1;
	if (front == total)
		return 0;
	*captured.tail = append_memory(s, range.end - half, half, task, can_sleep);
	return *captured.tail != half;
}

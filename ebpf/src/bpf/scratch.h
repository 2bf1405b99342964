/* Where an image record is put together. It is too large for the stack (512 bytes) and for a
 * per-CPU map value (32 KiB), so it is an element of an ordinary array, one for each CPU.
 *
 * The fill level lives in the element, not in a register: what the verifier reads back from
 * memory is an unknown number each time, so that every way out of a loop looks the same to it and
 * it verifies the rest of the program once instead of once for each way. */
#pragma once

#include "wire.h"

enum {
	NAME_MAX = 256,
	TTY_MAX = 64,
	FILENAME_MAX = 4096,
	INTERPRETER_MAX = 2048,
	PATH_MAX = 4096,
	PATH_STEPS = 128,
	PAGE = 4096,
	CAPTURE_MAX = 32768,
	DATA_MAX = TTY_MAX + FILENAME_MAX + INTERPRETER_MAX + 3 * (PATH_MAX + NAME_MAX) +
		   2 * CAPTURE_MAX + /* so that a last part of a page has room */ PAGE,
	/* A task iterator has a buffer of 32 KiB, and no record may be larger (E2BIG). */
	ITERATOR_MAX = 32000,
	ITERATOR_ARGS_MAX = 8192,
};

struct scratch {
	struct image_record record;
	u8 data[DATA_MAX];
	/* Filled part of `data`. */
	volatile u64 used;
};

_Static_assert(__builtin_offsetof(struct scratch, data) == sizeof(struct image_record),
	       "the parts follow the fixed part without a hole");

/* Room for `size` bytes (a constant) at the end of the record, or NULL. The parts' limits add up
 * to DATA_MAX, so NULL is for the verifier only. */
INLINE u8 *room(struct scratch *s, u64 size)
{
	u64 used = s->used;

	forget(used);
	if (used > DATA_MAX - size)
		return 0;
	return s->data + used;
}

INLINE void grow(struct scratch *s, u64 size)
{
	s->used += size;
}

/* Appends a string of the kernel with its NUL; returns its length with the NUL, 0 at a fault. */
INLINE u32 append_string(struct scratch *s, const void *from, u64 limit)
{
	u8 *to = room(s, limit);
	long length;

	if (!to)
		return 0;
	length = bpf_probe_read_kernel_str(to, limit, from);
	if (length <= 0)
		return 0;
	grow(s, length);
	return length;
}

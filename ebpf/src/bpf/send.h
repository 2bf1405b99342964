/* The ring, its sequence numbers and counters, and how the reader is woken. */
#pragma once

#include "scratch.h"

/* The loader sets the size. */
struct {
	MAP_NUMBER(type, BPF_MAP_TYPE_RINGBUF);
	MAP_NUMBER(max_entries, 1 << 20);
} events SEC(".maps");

/* Element 0 is a `struct control`, element 1 + n the counters of slot n (same size). Mapped by the
 * reader, which on old kernels may not call bpf(). */
struct {
	MAP_NUMBER(type, BPF_MAP_TYPE_ARRAY);
	MAP_NUMBER(map_flags, BPF_F_MMAPABLE);
	MAP_NUMBER(max_entries, 2);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct cpu_counters);
} shared SEC(".maps");

_Static_assert(sizeof(struct control) == sizeof(struct cpu_counters), "elements of one map");

/* An atomic add also orders memory, as the handshake in `wake_late` needs. */
INLINE void count(u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

INLINE volatile struct control *control(void)
{
	u32 first = 0;

	return bpf_map_lookup_elem(&shared, &first);
}

INLINE int is_env_captured(void)
{
	volatile struct control *c = control();

	return c && c->capture_env;
}

INLINE u32 cpus(void)
{
	volatile struct control *c = control();

	return c ? c->cpus : 0;
}

/* The number of the last lane. */
INLINE u32 last_lane(void)
{
	volatile struct control *c = control();

	return c ? c->last_lane : 0;
}

INLINE u64 page_size_bytes(void)
{
	volatile struct control *c = control();

	return c ? c->page_size_bytes : 0;
}

/* Where a program has its counters and scratch space: its own of each lane and CPU. */
INLINE u32 slot(u32 lane)
{
	return lane * cpus() + bpf_get_smp_processor_id();
}

INLINE struct cpu_counters *counters_of(u32 lane)
{
	u32 element = slot(lane) + 1;

	return bpf_map_lookup_elem(&shared, &element);
}

/* Fills the header but for the sequence number, which is the caller's to take from its own
 * counter: of one kind and lane only one program runs on a CPU at a time (the kernel sees to
 * that), so a plain increment does. */
INLINE void begin(struct record_header *header, u16 kind, u32 size, u32 lane)
{
	header->size_bytes = size;
	header->kind = kind;
	header->version = WIRE_VERSION;
	header->cpu = bpf_get_smp_processor_id();
	header->lane = lane;
	header->boottime_ns = bpf_ktime_get_boot_ns();
}

/* The reader frees ring space only when its database has the records. The kernel's own rule for
 * waking (when the reader has freed all there was before this record) would then hardly ever
 * hold, so the reader says when it sleeps. It sets `waiting`, looks at the ring once more, and
 * sleeps; here the record is committed and then `waiting` read. One of the two sees the other.
 *
 * `waiting` is taken before the wake-up, so that the reader's next setting is not lost, and put
 * back where there was no room to wake with. Should that last attempt fail too, the reader's own
 * time limit for a commit wakes it. */
INLINE u64 wake_now(volatile struct control *c)
{
	if (!c->waiting)
		return BPF_RB_NO_WAKEUP;
	c->waiting = 0;
	return BPF_RB_FORCE_WAKEUP;
}

INLINE void wake_late(volatile struct control *c)
{
	void *nothing;

	if (!c->waiting)
		return;
	c->waiting = 0;
	nothing = bpf_ringbuf_reserve(&events, 8, 0);
	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
	else
		c->waiting = 1;
}

INLINE void send(void *record, u64 size, struct kind_counters *counters)
{
	volatile struct control *c = control();
	u64 wake;

	if (!c)
		return;
	wake = wake_now(c);
	if (bpf_ringbuf_output(&events, record, size, wake)) {
		count(&counters->dropped_ring_full);
		if (wake == BPF_RB_FORCE_WAKEUP)
			c->waiting = 1;
	} else {
		count(&counters->sent);
	}
	wake_late(c);
}

INLINE void send_scratch(struct scratch *s, struct kind_counters *counters)
{
	u64 used = s->used;

	forget(used);
	if (used > DATA_MAX)
		return;
	s->record.header.size_bytes = sizeof(s->record) + used;
	send(s, sizeof(s->record) + used, counters);
}

#define COUNT_FAULT(bit, counter)                                                                  \
	if (faults & (bit))                                                                        \
	count(&counters->faults.counter)

INLINE void count_image(struct cpu_counters *counters, struct image_record *record)
{
	u32 faults = record->faults;

	if (faults) {
		COUNT_FAULT(FAULT_ARGS, args);
		COUNT_FAULT(FAULT_ENV, env);
		COUNT_FAULT(FAULT_EXECUTABLE, executable);
		COUNT_FAULT(FAULT_CWD, cwd);
		COUNT_FAULT(FAULT_CGROUP, cgroup);
		COUNT_FAULT(~(u32)(FAULT_ARGS | FAULT_ENV | FAULT_EXECUTABLE | FAULT_CWD |
				   FAULT_CGROUP),
			    other);
	}
	if (record->parts.args_tail)
		count(&counters->cuts.args);
	if (record->parts.env_tail)
		count(&counters->cuts.env);
	if (record->executable_end == PATH_CUT)
		count(&counters->cuts.executable);
	if (record->cwd_end == PATH_CUT)
		count(&counters->cuts.cwd);
	if (record->cgroup_end == PATH_CUT)
		count(&counters->cuts.cgroup);
}

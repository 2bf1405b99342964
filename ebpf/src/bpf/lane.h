/* Copies of a program on one tracepoint, so that an event which one of them misses is another's.
 *
 * The kernel skips a program while another run of it is under way on the same CPU. Up to 6.18 that
 * cannot be: tracepoints run with preemption off. From 7.0 on they do not, and a process that
 * preempts another in the middle of a program has its own event skipped. So each tracepoint has
 * several copies of its program there, its lanes, which run one after the other. The first that
 * runs for an event takes it and leaves a mark; the others find the mark. An event is lost only if
 * every lane was under way for somebody else, and is counted then:
 *
 *     lost = skipped runs of lane 0 + passed_on - taken_over
 *
 * Where one lane is enough, the others are not loaded and nothing here costs anything. */
#pragma once

#include "send.h"

struct lane_key {
	u32 thread;
	u32 kind;
};

/* The event of a thread and kind that was taken last. One that the last lane missed stays until
 * the next event of the thread; the value tells it from that. With no room for a mark the event is
 * left to the last lane, which needs none. */
struct {
	MAP_NUMBER(type, BPF_MAP_TYPE_HASH);
	MAP_NUMBER(max_entries, 4096);
	MAP_TYPE(key, struct lane_key);
	MAP_TYPE(value, u64);
} taken SEC(".maps");

/* Whether this lane is the one to handle the event, which `stamp` tells from others of its kind
 * and thread. */
INLINE int take(struct cpu_counters *counters, u32 lane, u32 kind, u64 stamp)
{
	u32 last = last_lane();
	struct lane_key key = {bpf_get_current_pid_tgid(), kind};

	if (!last)
		return 1;
	if (lane) {
		u64 *mark = bpf_map_lookup_elem(&taken, &key);

		if (mark && *mark == stamp) {
			if (lane == last)
				bpf_map_delete_elem(&taken, &key);
			return 0;
		}
		count(&counters->taken_over);
	}
	if (lane != last && bpf_map_update_elem(&taken, &key, &stamp, 0)) {
		count(&counters->passed_on);
		return 0;
	}
	return 1;
}

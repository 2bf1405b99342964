/* The kernel half: what is captured at fork, exec and exit, and of processes that already run.
 *
 * Three BTF raw tracepoints, each in the lanes of `lane.h`, write to one ring; a task iterator writes the same records to its
 * reader. Nothing is interpreted here. Loads unchanged from Linux 5.10 on (the iterator: 5.18). */
#include "image.h"
#include "lane.h"

SEC("license") const char LICENSE[] = "Dual MIT/GPL";

/* The number of elements is that of lanes and possible CPUs, set by the loader. */
struct {
	MAP_NUMBER(type, BPF_MAP_TYPE_ARRAY);
	MAP_NUMBER(max_entries, 1);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct scratch);
} exec_scratch SEC(".maps");

/* One element: one iterator is read at a time. */
struct {
	MAP_NUMBER(type, BPF_MAP_TYPE_ARRAY);
	MAP_NUMBER(max_entries, 1);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct scratch);
} iterator_scratch SEC(".maps");

/* A program for each lane. */
#define LANES(name, tracepoint)                                                                    \
	LANE(name, tracepoint, 0)                                                                  \
	LANE(name, tracepoint, 1)                                                                  \
	LANE(name, tracepoint, 2)                                                                  \
	LANE(name, tracepoint, 3)                                                                  \
	LANE(name, tracepoint, 4)
#define LANE(name, tracepoint, lane)                                                               \
	SEC("tp_btf/" tracepoint)                                                                  \
	int name##_##lane(u64 *args)                                                               \
	{                                                                                          \
		name(args, lane);                                                                  \
		return 0;                                                                          \
	}

INLINE void recorder_fork(u64 *args, u32 lane)
{
	struct task_struct *parent = (void *)args[0];
	struct task_struct *child = (void *)args[1];
	struct fork_record record = {};
	struct cpu_counters *counters = counters_of(lane);
	u32 namespace;

	if (!counters || !take(counters, lane, RECORD_FORK, child->start_boottime))
		return;
	if (child->pid != child->tgid)
		return;
	begin(&record.header, RECORD_FORK, sizeof(record), lane);
	record.header.sequence = ++counters->fork.sequence;
	if (!set_process_id(&record.parent, parent))
		count(&counters->faults.other);
	if (!set_process_id(&record.child, child) ||
	    !innermost(child->thread_pid, &record.child.namespace_pid, &namespace))
		count(&counters->faults.other);
	send(&record, sizeof(record), &counters->fork);
}
LANES(recorder_fork, "sched_process_fork")

/* What a thread spent; the tracepoint comes before it is added to the process's own figures. */
INLINE void add_thread(struct exit_record *record, struct task_struct *task)
{
	record->user_ns += task->utime;
	record->system_ns += task->stime;
	record->cpu_ns += task->se.sum_exec_runtime;
	if (record->header.flags & FLAG_IO) {
		record->read_bytes += task->ioac.read_bytes;
		record->write_bytes += task->ioac.write_bytes;
	}
}

INLINE void recorder_exit(u64 *args, u32 lane)
{
	struct task_struct *task = (void *)args[0];
	struct signal_struct *signal = task->signal;
	struct task_struct *leader = task->group_leader;
	struct exit_record record = {};
	struct cpu_counters *counters = counters_of(lane);

	if (!counters || !take(counters, lane, RECORD_EXIT, task->start_boottime))
		return;
	/* Other threads live on. The last two can both see zero; user space drops the second. */
	if (!signal || !leader || signal->live.counter)
		return;
	begin(&record.header, RECORD_EXIT, sizeof(record), lane);
	record.header.sequence = ++counters->exit.sequence;
	if (!set_process_id(&record.process, task))
		count(&counters->faults.other);
	record.wait_status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code
							       : leader->exit_code;
	record.user_ns = signal->utime;
	record.system_ns = signal->stime;
	record.cpu_ns = signal->sum_sched_runtime;
	record.max_rss_bytes = signal->maxrss * page_size_bytes();
	if (field_exists(struct task_io_accounting, read_bytes)) {
		record.header.flags |= FLAG_IO;
		record.read_bytes = signal->ioac.read_bytes;
		record.write_bytes = signal->ioac.write_bytes;
	}
	add_thread(&record, task);
	if (leader != task)
		add_thread(&record, leader);
	send(&record, sizeof(record), &counters->exit);
}
LANES(recorder_exit, "sched_process_exit")

/* The names given to exec: the interpreter's differs from the file's if the file was a script. */
INLINE void set_names(struct scratch *s, struct linux_binprm *bprm)
{
	struct part_lengths *parts = &s->record.parts;
	const char *filename = bprm->filename;
	const char *interpreter = bprm->interp;

	parts->filename = append_string(s, filename, FILENAME_MAX);
	if (!parts->filename)
		set_fault(s, FAULT_FILENAME);
	if (interpreter == filename)
		return;
	s->record.header.flags |= FLAG_INTERPRETER;
	parts->interpreter = append_string(s, interpreter, INTERPRETER_MAX);
	if (!parts->interpreter)
		set_fault(s, FAULT_INTERPRETER);
}

INLINE void set_args(struct scratch *s, struct range range, struct task_struct *task, int can_sleep)
{
	struct image_record *record = &s->record;
	struct captured to = {
		&record->parts.args_head,
		&record->parts.args_tail,
		&record->args_total_bytes,
	};

	if (append_range(s, range, to, task, can_sleep))
		set_fault(s, FAULT_ARGS);
}

INLINE void set_env(struct scratch *s, struct range range, struct task_struct *task, int can_sleep)
{
	struct image_record *record = &s->record;
	struct captured to = {
		&record->parts.env_head,
		&record->parts.env_tail,
		&record->env_total_bytes,
	};

	if (!is_env_captured()) {
		record->header.flags |= FLAG_ENV_OFF;
		record->env_total_bytes = range.end - range.start;
		return;
	}
	if (append_range(s, range, to, task, can_sleep))
		set_fault(s, FAULT_ENV);
}

INLINE struct scratch *cleared(struct scratch *s)
{
	__builtin_memset(&s->record, 0, sizeof(s->record));
	s->used = 0;
	return s;
}

INLINE void recorder_exec(u64 *args, u32 lane)
{
	struct task_struct *task = (void *)args[0];
	struct linux_binprm *bprm = (void *)args[2];
	struct mm_struct *mm = task->mm;
	u32 element = slot(lane);
	struct scratch *s = bpf_map_lookup_elem(&exec_scratch, &element);
	struct cpu_counters *counters = counters_of(lane);

	if (!s || !counters ||
	    !take(counters, lane, RECORD_EXEC, task->start_boottime + task->self_exec_id))
		return;
	cleared(s);
	begin(&s->record.header, RECORD_EXEC, 0, lane);
	s->record.header.sequence = ++counters->exec.sequence;
	s->record.exec_thread = args[1];
	s->record.argc = bprm->argc;
	set_context(s, task);
	set_tty(s, task);
	set_names(s, bprm);
	set_paths(s, task, mm);
	set_cgroup(s, task);
	if (mm) {
		struct range range = {mm->arg_start, mm->arg_end, CAPTURE_MAX};
		struct range env = {mm->env_start, mm->env_end, CAPTURE_MAX};

		set_args(s, range, task, 0);
		set_env(s, env, task, 0);
	} else {
		set_fault(s, FAULT_ARGS | FAULT_ENV);
	}
	count_image(counters, &s->record);
	send_scratch(s, &counters->exec);
}
LANES(recorder_exec, "sched_process_exec")

/* An iterator's record must fit its buffer, so the environment gets what is left. */
INLINE u64 iterator_room(struct scratch *s)
{
	u64 used = s->used + sizeof(s->record);

	return used < ITERATOR_MAX ? (ITERATOR_MAX - used) & ~1ULL : 0;
}

SEC("iter.s/task")
int recorder_running(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct seq_file *seq = context->meta->seq;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct scratch *s;
	u32 first = 0;
	u64 used;

	describe(struct fork_record);
	describe(struct exit_record);
	describe(struct control);
	if (!task || task->pid != task->tgid)
		return 0;
	signal = task->signal;
	if (!signal || !signal->live.counter)
		return 0;
	s = bpf_map_lookup_elem(&iterator_scratch, &first);
	if (!s)
		return 0;
	cleared(s);
	s->record.header.kind = RECORD_RUNNING;
	s->record.header.version = WIRE_VERSION;
	s->record.header.cpu = bpf_get_smp_processor_id();
	s->record.header.boottime_ns = bpf_ktime_get_boot_ns();
	s->record.exec_thread = task->pid;
	set_context(s, task);
	mm = task->mm;
	if (task->flags & PF_KTHREAD) {
		s->record.header.flags |= FLAG_KERNEL_THREAD;
		set_cgroup(s, task);
	} else {
		set_tty(s, task);
		set_paths(s, task, mm);
		set_cgroup(s, task);
		if (mm) {
			struct range range = {mm->arg_start, mm->arg_end, ITERATOR_ARGS_MAX};
			set_args(s, range, task, 1);
			struct range env = {mm->env_start, mm->env_end, iterator_room(s)};
			set_env(s, env, task, 1);
		}
		/* It may have exec'd or ended meanwhile: then this is a mixture. */
		if (!mm || task->mm != mm)
			set_fault(s, FAULT_ARGS | FAULT_ENV | FAULT_FILE | FAULT_EXECUTABLE);
	}
	used = s->used;
	forget(used);
	if (used > DATA_MAX)
		return 0;
	s->record.header.size_bytes = sizeof(s->record) + used;
	bpf_seq_write(seq, s, sizeof(s->record) + used);
	return 0;
}

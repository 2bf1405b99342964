/* What user space gets: the records of the ring and of the iterator, and the shared page.
 * `wire.rs` and `shared.rs` mirror this; a test compares the two through BTF. */
#pragma once

#include "bpf.h"

enum record_kind {
	RECORD_FORK = 1,
	RECORD_EXEC = 2,
	RECORD_EXIT = 3,
	RECORD_RUNNING = 4,
};

struct record_header {
	/* Of the whole record, header included: the iterator's stream is split by it. */
	u32 size_bytes;
	u16 kind;
	u16 version;
	u16 cpu;
	/* Which copy of the program it was. */
	u16 lane;
	u32 flags;
	u64 sequence;
	u64 boottime_ns;
};

/* Of the records and of the shared map: another one for any change that a reader would notice,
 * since programs can outlive the recorder that loaded them. */
enum { WIRE_VERSION = 1 };

/* record_header.flags */
enum {
	FLAG_KERNEL_THREAD = 1 << 0,
	FLAG_MEMFD = 1 << 1,
	FLAG_DELETED = 1 << 2,
	FLAG_UPPER_LAYER = 1 << 3,
	FLAG_TTY = 1 << 4,
	FLAG_INTERPRETER = 1 << 5,
	FLAG_ENV_OFF = 1 << 6,
	FLAG_IO = 1 << 7,
};

struct process_id {
	u64 start_boottime_ns;
	u32 pid;
	/* Only of a forked child and of an image's process. */
	u32 namespace_pid;
};

struct fork_record {
	struct record_header header;
	struct process_id parent;
	struct process_id child;
};

struct exit_record {
	struct record_header header;
	struct process_id process;
	u64 user_ns;
	u64 system_ns;
	u64 cpu_ns;
	u64 max_rss_bytes;
	u64 read_bytes;
	u64 write_bytes;
	u32 wait_status;
	u32 reserved;
};

enum path_end {
	PATH_FAULT = 0,
	PATH_ROOT = 1,
	PATH_DETACHED = 2,
	PATH_PSEUDO = 3,
	PATH_CUT = 4,
};

/* image_record.faults */
enum {
	FAULT_ARGS = 1 << 0,
	FAULT_ENV = 1 << 1,
	FAULT_EXECUTABLE = 1 << 2,
	FAULT_CWD = 1 << 3,
	FAULT_CGROUP = 1 << 4,
	FAULT_FILE = 1 << 5,
	FAULT_FILENAME = 1 << 6,
	FAULT_INTERPRETER = 1 << 7,
	FAULT_COMM = 1 << 8,
	FAULT_TTY = 1 << 9,
	FAULT_CREDENTIALS = 1 << 10,
	FAULT_NAMESPACES = 1 << 11,
	FAULT_IDS = 1 << 12,
};

struct credentials {
	u64 cap_effective;
	u64 cap_permitted;
	u32 uid, gid, euid, egid, suid, sgid;
	/* 0xffffffff where unset or the kernel has no audit. */
	u32 login_uid;
	u32 audit_session;
};

struct namespaces {
	u32 mount, pid, network, user, uts, ipc, cgroup;
	u32 reserved;
};

struct file_identity {
	u64 inode;
	u64 size_bytes;
	s64 mtime_ns;
	s64 ctime_ns;
	u32 device_major;
	u32 device_minor;
	u32 mode;
	u32 uid;
	u32 gid;
	u32 reserved;
};

/* Lengths of the parts that follow the fixed part, in this order, without padding. Strings end
 * in NUL; a path is its components, leaf first. */
struct part_lengths {
	u32 tty;
	u32 filename;
	u32 interpreter;
	u32 executable;
	u32 cwd;
	u32 cgroup;
	u32 args_head;
	u32 args_tail;
	u32 env_head;
	u32 env_tail;
};

struct image_record {
	struct record_header header;
	struct process_id process;
	struct process_id parent;
	struct credentials credentials;
	struct namespaces namespaces;
	struct file_identity file;
	u64 args_total_bytes;
	u64 env_total_bytes;
	struct part_lengths parts;
	u32 process_group;
	u32 session;
	u32 exec_thread;
	u32 tty_major;
	u32 tty_minor;
	u32 argc;
	u32 faults;
	u8 executable_end;
	u8 cwd_end;
	u8 cgroup_end;
	u8 reserved;
	char comm[16];
};

/* The shared map: one control block, then for each lane one block of counters for each possible
 * CPU. Every block is whole cache lines, so that CPUs do not write to each other's. */
struct control {
	u64 cookie;
	u32 waiting;
	u32 capture_env;
	/* The kernel's BTF does not tell the size of a page. */
	u32 page_size_bytes;
	u32 cpus;
	u32 last_lane;
	u32 reserved[41];
} __attribute__((aligned(64)));

struct kind_counters {
	/* Records meant to be sent: the last sequence number given. */
	u64 sequence;
	u64 sent;
	u64 dropped_ring_full;
};

struct cause_counters {
	u64 args, env, executable, cwd, cgroup, other;
};

struct cpu_counters {
	struct kind_counters fork, exec, exit;
	struct cause_counters faults;
	struct cause_counters cuts;
	/* Events that a copy handled in place of one the kernel had skipped, and events that a copy
	 * left to the next one; both 0 where there is one lane. */
	u64 taken_over;
	u64 passed_on;
	u64 reserved[1];
} __attribute__((aligned(64)));

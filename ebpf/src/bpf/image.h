/* What a process runs, and as whom: fills an image record.
 *
 * Loads through pointers that the verifier knows the type of (from a tracepoint's argument down)
 * are plain loads: should the memory be gone, the kernel makes them read as zero. So each pointer
 * on the way is checked, and a missing one is a fault. Everything else is read by helpers whose
 * result is checked. */
#pragma once

#include "kernel.h"
#include "memory.h"
#include "path.h"
#include "scratch.h"

INLINE void set_fault(struct scratch *s, u32 fault)
{
	s->record.faults |= fault;
}

/* The pid in the innermost namespace, and that namespace; false at a fault. */
INLINE int innermost(struct pid *pid, u32 *number, u32 *namespace)
{
	struct pid_namespace *outer;
	struct upid upid = {};
	u64 at;

	*number = *namespace = 0;
	if (!pid)
		return 0;
	if (!pid->level) {
		outer = pid->numbers[0].ns;
		*number = pid->numbers[0].nr;
		if (outer)
			*namespace = outer->ns.inum;
		return *namespace != 0;
	}
	at = (u64)pid->level * type_size(struct upid);
	/* There are at most 33 levels of 16 bytes; 5.10 wants a bound before it adds to a pointer. */
	forget(at);
	at &= 1023;
	at += (u64)pid + field_offset(struct pid, numbers);
	if (READ(upid.nr, ((struct upid *)at)->nr) || READ(upid.ns, ((struct upid *)at)->ns))
		return 0;
	*number = upid.nr;
	return !READ(*namespace, upid.ns->ns.inum);
}

/* Number in the initial pid namespace. */
INLINE u32 global_number(struct scratch *s, struct pid *pid)
{
	if (!pid) {
		set_fault(s, FAULT_IDS);
		return 0;
	}
	return pid->numbers[0].nr;
}

/* False if there is no leader to be read. */
INLINE int set_process_id(struct process_id *id, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	if (!leader)
		return 0;
	id->pid = leader->pid;
	id->start_boottime_ns = leader->start_boottime;
	return 1;
}

INLINE void set_ids(struct scratch *s, struct task_struct *task)
{
	struct image_record *record = &s->record;
	struct task_struct *parent = task->real_parent;
	struct signal_struct *signal = task->signal;

	if (!set_process_id(&record->process, task))
		set_fault(s, FAULT_IDS);
	if (!innermost(task->thread_pid, &record->process.namespace_pid, &record->namespaces.pid))
		set_fault(s, FAULT_IDS);
	if (!parent || !set_process_id(&record->parent, parent))
		set_fault(s, FAULT_IDS);
	if (!signal) {
		set_fault(s, FAULT_IDS);
		return;
	}
	record->process_group = global_number(s, signal->pids[PIDTYPE_PGID]);
	record->session = global_number(s, signal->pids[PIDTYPE_SID]);
}

INLINE void set_tty(struct scratch *s, struct task_struct *task)
{
	struct image_record *record = &s->record;
	struct signal_struct *signal = task->signal;
	struct tty_struct *tty;
	struct tty_driver *driver;

	if (!signal)
		return;
	tty = signal->tty;
	if (!tty)
		return;
	record->header.flags |= FLAG_TTY;
	driver = tty->driver;
	record->parts.tty = append_string(s, tty->name, TTY_MAX);
	if (!driver || !record->parts.tty) {
		set_fault(s, FAULT_TTY);
		return;
	}
	record->tty_major = driver->major;
	record->tty_minor = driver->minor_start + tty->index;
}

INLINE void set_credentials(struct scratch *s, struct task_struct *task)
{
	struct credentials *to = &s->record.credentials;
	const struct cred *cred = task->cred;
	struct user_namespace *user;

	to->login_uid = to->audit_session = ~0U;
	if (field_exists(struct task_struct, loginuid))
		to->login_uid = task->loginuid.val;
	if (field_exists(struct task_struct, sessionid))
		to->audit_session = task->sessionid;
	if (!cred) {
		set_fault(s, FAULT_CREDENTIALS);
		return;
	}
	to->uid = cred->uid.val;
	to->gid = cred->gid.val;
	to->euid = cred->euid.val;
	to->egid = cred->egid.val;
	to->suid = cred->suid.val;
	to->sgid = cred->sgid.val;
	if (READ(to->cap_effective, cred->cap_effective) ||
	    READ(to->cap_permitted, cred->cap_permitted))
		set_fault(s, FAULT_CREDENTIALS);
	user = cred->user_ns;
	if (user)
		s->record.namespaces.user = user->ns.inum;
}

/* One namespace of the proxy. */
#define SET_NAMESPACE(to, pointer)                                                                 \
	do {                                                                                       \
		typeof(pointer) namespace = pointer;                                               \
		if (namespace)                                                                     \
			to = namespace->ns.inum;                                                   \
	} while (0)

INLINE void set_namespaces(struct scratch *s, struct task_struct *task)
{
	struct namespaces *to = &s->record.namespaces;
	struct nsproxy *proxy = task->nsproxy;

	if (proxy) {
		SET_NAMESPACE(to->mount, proxy->mnt_ns);
		SET_NAMESPACE(to->network, proxy->net_ns);
		SET_NAMESPACE(to->uts, proxy->uts_ns);
		SET_NAMESPACE(to->ipc, proxy->ipc_ns);
		SET_NAMESPACE(to->cgroup, proxy->cgroup_ns);
	}
	/* ipc and cgroup namespaces can be configured out of a kernel; these cannot be missing. */
	if (!to->mount || !to->pid || !to->user)
		set_fault(s, FAULT_NAMESPACES);
}

INLINE s64 nanoseconds(s64 seconds, u64 nsec)
{
	return seconds * 1000000000LL + (s64)(nsec & CTIME_NSEC_MASK);
}

INLINE s64 mtime_ns(struct inode *inode)
{
	if (field_exists(struct inode___split, i_mtime_sec)) {
		struct inode___split *split = (void *)inode;
		return nanoseconds(split->i_mtime_sec, split->i_mtime_nsec);
	}
	if (field_exists(struct inode___hidden_mtime, __i_mtime)) {
		struct inode___hidden_mtime *hidden = (void *)inode;
		return nanoseconds(hidden->__i_mtime.tv_sec, hidden->__i_mtime.tv_nsec);
	}
	struct inode___old_mtime *old = (void *)inode;
	return nanoseconds(old->i_mtime.tv_sec, old->i_mtime.tv_nsec);
}

INLINE s64 ctime_ns(struct inode *inode)
{
	if (field_exists(struct inode___split, i_ctime_sec)) {
		struct inode___split *split = (void *)inode;
		return nanoseconds(split->i_ctime_sec, split->i_ctime_nsec);
	}
	if (field_exists(struct inode___hidden_ctime, __i_ctime)) {
		struct inode___hidden_ctime *hidden = (void *)inode;
		return nanoseconds(hidden->__i_ctime.tv_sec, hidden->__i_ctime.tv_nsec);
	}
	struct inode___old_ctime *old = (void *)inode;
	return nanoseconds(old->i_ctime.tv_sec, old->i_ctime.tv_nsec);
}

/* An overlay's inode is embedded in `struct ovl_inode` (a module's type, so not in the kernel's
 * BTF) and followed there by `__upperdentry`: NULL while the file is only in a lower layer. */
INLINE int is_upper_layer(struct inode *inode, struct super_block *super)
{
	void *upper = 0;

	if (super->s_magic != OVERLAYFS_MAGIC)
		return 0;
	if (bpf_probe_read_kernel(&upper, sizeof(upper), (void *)((u64)inode + type_size(struct inode))))
		return 0;
	return upper != 0;
}

INLINE void set_file(struct scratch *s, struct file *file)
{
	struct file_identity *to = &s->record.file;
	struct inode *inode = file->f_inode;
	struct dentry *dentry = file->f_path.dentry;
	struct super_block *super;
	u32 flags = 0;

	if (!inode || !dentry) {
		set_fault(s, FAULT_FILE);
		return;
	}
	to->inode = inode->i_ino;
	to->size_bytes = inode->i_size;
	to->mtime_ns = mtime_ns(inode);
	to->ctime_ns = ctime_ns(inode);
	to->mode = inode->i_mode;
	to->uid = inode->i_uid.val;
	to->gid = inode->i_gid.val;
	if (!inode->i_nlink || !dentry->d_hash.pprev)
		flags = FLAG_DELETED;
	super = inode->i_sb;
	if (super) {
		to->device_major = super->s_dev >> 20;
		to->device_minor = super->s_dev & ((1 << 20) - 1);
		if (is_upper_layer(inode, super))
			flags |= FLAG_UPPER_LAYER;
	} else {
		set_fault(s, FAULT_FILE);
	}
	s->record.header.flags |= flags;
}

/* The executable and the working directory, both as seen from the process's own root. */
INLINE void set_paths(struct scratch *s, struct task_struct *task, struct mm_struct *mm)
{
	struct image_record *record = &s->record;
	struct fs_struct *fs = task->fs;
	struct file *file = 0;
	struct place root = {};
	int is_memfd = 0;

	if (!fs || read_place(&root, &fs->root)) {
		set_fault(s, FAULT_EXECUTABLE | FAULT_CWD);
		return;
	}
	if (mm)
		file = mm->exe_file;
	if (file) {
		set_file(s, file);
		record->parts.executable =
			append_path(s, &file->f_path, &root, &record->executable_end, &is_memfd);
	} else {
		set_fault(s, FAULT_FILE);
	}
	if (is_memfd)
		record->header.flags |= FLAG_MEMFD;
	if (record->executable_end == PATH_FAULT)
		set_fault(s, FAULT_EXECUTABLE);
	record->parts.cwd = append_path(s, &fs->pwd, &root, &record->cwd_end, 0);
	if (record->cwd_end == PATH_FAULT)
		set_fault(s, FAULT_CWD);
}

/* On hosts that still use the first version of control groups the second's root holds everything;
 * there the pids controller knows the group. */
INLINE struct kernfs_node *legacy_cgroup(struct css_set *set)
{
	struct cgroup_subsys_state *state;
	struct cgroup *cgroup;
	struct kernfs_node *node;
	u64 at = (u64)set + field_offset(struct css_set, subsys);

	if (!enum_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return 0;
	at += enum_value(enum cgroup_subsys_id, pids_cgrp_id) * sizeof(void *);
	if (bpf_probe_read_kernel(&state, sizeof(state), (void *)at) ||
	    READ(cgroup, state->cgroup) || READ(node, cgroup->kn))
		return 0;
	return node;
}

INLINE void set_cgroup(struct scratch *s, struct task_struct *task)
{
	struct image_record *record = &s->record;
	struct css_set *set = task->cgroups;
	struct kernfs_node *node, *parent, *legacy;
	struct cgroup *cgroup;

	if (!set || READ(cgroup, set->dfl_cgrp) || READ(node, cgroup->kn) ||
	    read_kernfs_parent(&parent, node))
		goto out;
	if (!parent) {
		legacy = legacy_cgroup(set);
		if (legacy)
			node = legacy;
	}
	record->parts.cgroup = append_cgroup(s, node, &record->cgroup_end);
out:
	if (record->cgroup_end == PATH_FAULT)
		set_fault(s, FAULT_CGROUP);
}

/* Everything but filename, interpreter, arguments and environment. */
INLINE void set_context(struct scratch *s, struct task_struct *task)
{
	struct image_record *record = &s->record;

	if (READ(record->comm, task->comm))
		set_fault(s, FAULT_COMM);
	set_ids(s, task);
	set_credentials(s, task);
	set_namespaces(s, task);
}

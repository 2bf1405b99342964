/* The kernel's structures: only the fields that are read. Offsets are relocated at load time
 * (CO-RE), so order and size mean nothing here. Where a field changed its name or type, a
 * flavour (`___suffix`, which the loader ignores) declares the other form. */
#pragma once

#include "bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct atomic_t {
	int counter;
};
typedef struct atomic_t atomic_t;

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	u32 val;
} kgid_t;

struct qstr {
	const u8 *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
};

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	struct super_block *i_sb;
	unsigned long i_ino;
	u32 i_nlink;
	s64 i_size;
};

/* Until 6.5; ctime got its new name one release before mtime. */
struct inode___old_mtime {
	struct timespec64 i_mtime;
};

struct inode___old_ctime {
	struct timespec64 i_ctime;
};

/* 6.6 and 6.7 to 6.10. */
struct inode___hidden_mtime {
	struct timespec64 __i_mtime;
};

struct inode___hidden_ctime {
	struct timespec64 __i_ctime;
};

/* Since 6.11. */
struct inode___split {
	s64 i_mtime_sec;
	u32 i_mtime_nsec;
	s64 i_ctime_sec;
	u32 i_ctime_nsec;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
};

struct linux_binprm {
	int argc;
	const char *filename;
	const char *interp;
};

struct ns_common {
	u32 inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct pid_namespace {
	struct ns_common ns;
};

struct net {
	struct ns_common ns;
};

struct uts_namespace {
	struct ns_common ns;
};

struct ipc_namespace {
	struct ns_common ns;
};

struct cgroup_namespace {
	struct ns_common ns;
};

struct user_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct cgroup_namespace *cgroup_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	u32 level;
	struct upid numbers[1];
};

struct tty_driver {
	int major;
	int minor_start;
};

struct tty_struct {
	struct tty_driver *driver;
	int index;
	char name[64];
};

/* Two 32 bit words until 6.2, one 64 bit number since: eight bytes both times. */
typedef struct {
	u64 val;
} kernel_cap_t;

struct cred {
	kuid_t uid, suid, euid;
	kgid_t gid, sgid, egid;
	kernel_cap_t cap_permitted, cap_effective;
	struct user_namespace *user_ns;
};

struct task_io_accounting {
	u64 read_bytes;
	u64 write_bytes;
};

enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_TGID,
	PIDTYPE_PGID,
	PIDTYPE_SID,
	PIDTYPE_MAX,
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	u32 flags;
	struct pid *pids[PIDTYPE_MAX];
	struct tty_struct *tty;
	u64 utime, stime;
	unsigned long maxrss;
	struct task_io_accounting ioac;
	unsigned long long sum_sched_runtime;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct kernfs_node {
	const char *name;
};

/* Until 6.14. */
struct kernfs_node___old {
	struct kernfs_node *parent;
};

/* Since 6.15. */
struct kernfs_node___new {
	struct kernfs_node *__parent;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

/* The number of the pids controller depends on the kernel's configuration. */
enum cgroup_subsys_id {
	pids_cgrp_id,
};

struct task_struct {
	u32 flags;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct mm_struct *mm;
	struct sched_entity se;
	u64 utime, stime;
	u64 start_boottime;
	/* Another number after each exec. */
	u64 self_exec_id;
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct css_set *cgroups;
	/* Only with CONFIG_AUDIT. */
	kuid_t loginuid;
	u32 sessionid;
	struct task_io_accounting ioac;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

enum {
	PF_KTHREAD = 0x00200000,
	SIGNAL_GROUP_EXIT = 4,
	OVERLAYFS_MAGIC = 0x794c7630,
	/* 6.13: the top bit of ctime's nanoseconds says that someone asked for it. */
	CTIME_NSEC_MASK = 0x7fffffff,
};

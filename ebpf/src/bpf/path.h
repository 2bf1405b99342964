/* Paths, walked from the leaf up. `bpf_d_path` is not allowed in these programs. */
#pragma once

#include "kernel.h"
#include "scratch.h"

/* A checked read of one field. */
#define READ(to, from) bpf_probe_read_kernel(&(to), sizeof(to), &(from))

struct place {
	struct dentry *dentry;
	struct mount *mount;
};

INLINE long read_place(struct place *place, const struct path *path)
{
	struct path at = {};

	if (bpf_probe_read_kernel(&at, sizeof(at), path) || !at.mnt || !at.dentry)
		return 1;
	place->dentry = at.dentry;
	place->mount = (void *)((u64)at.mnt - field_offset(struct mount, mnt));
	return 0;
}

/* What the walk needs of a dentry, as it has always lain there: one read instead of two. */
struct dentry_part {
	struct dentry *parent;
	u64 hash_and_length;
	const u8 *name;
};

INLINE long read_dentry(struct dentry_part *part, const struct dentry *dentry)
{
	u64 parent = field_offset(struct dentry, d_parent);
	u64 name = field_offset(struct dentry, d_name.name);

	if (name - parent == __builtin_offsetof(struct dentry_part, name))
		return bpf_probe_read_kernel(part, sizeof(*part), (void *)((u64)dentry + parent));
	return READ(part->parent, dentry->d_parent) | READ(part->name, dentry->d_name.name);
}

/* A pseudo file's name that begins with "memfd:". */
INLINE int is_memfd_name(const u8 *name)
{
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' &&
	       name[4] == 'd' && name[5] == ':';
}

/* Goes one mount up: true if there is one. */
INLINE int leave_mount(struct place *at, struct dentry **top, volatile u8 *end)
{
	struct mount *parent;

	if (READ(parent, at->mount->mnt_parent))
		return 0;
	if (parent == at->mount) {
		*end = PATH_DETACHED;
		return 0;
	}
	if (READ(at->dentry, at->mount->mnt_mountpoint) || READ(*top, parent->mnt.mnt_root))
		return 0;
	at->mount = parent;
	return 1;
}

/* Appends the components of `path`, leaf first, up to `root`; returns their length and says in
 * `end` how the walk ended. */
INLINE u32 append_path(struct scratch *s, const struct path *path, const struct place *root,
		       volatile u8 *end, int *is_memfd)
{
	volatile u64 *used = &s->used;
	u64 start = *used;
	struct place at;
	struct dentry *top;
	struct dentry_part part = {};

	*end = PATH_FAULT;
	if (read_place(&at, path) || READ(top, at.mount->mnt.mnt_root))
		return 0;

	EVERY_LOOP_STAYS
	for (int step = 0; step < PATH_STEPS; step++) {
		u8 *to;
		long length;

		if (at.dentry == root->dentry && at.mount == root->mount) {
			*end = PATH_ROOT;
			goto out;
		}
		if (at.dentry == top) {
			if (!leave_mount(&at, &top, end))
				goto out;
			continue;
		}
		if (*used - start > PATH_MAX)
			break;
		if (read_dentry(&part, at.dentry))
			goto out;
		to = room(s, NAME_MAX);
		if (!to)
			break;
		length = bpf_probe_read_kernel_str(to, NAME_MAX, part.name);
		if (length <= 0)
			goto out;
		*used += length;
		/* Neither a mount's root nor below anything: no file of a tree. */
		if (part.parent == at.dentry) {
			*end = PATH_PSEUDO;
			if (is_memfd && is_memfd_name(to))
				*is_memfd = 1;
			goto out;
		}
		at.dentry = part.parent;
	}
	*end = PATH_CUT;
out:
	return *used - start;
}

INLINE long read_kernfs_parent(struct kernfs_node **parent, struct kernfs_node *node)
{
	if (field_exists(struct kernfs_node___new, __parent))
		return READ(*parent, ((struct kernfs_node___new *)node)->__parent);
	return READ(*parent, ((struct kernfs_node___old *)node)->parent);
}

/* The same for a control group, whose root is the hierarchy's (not the namespace's). */
INLINE u32 append_cgroup(struct scratch *s, struct kernfs_node *node, volatile u8 *end)
{
	volatile u64 *used = &s->used;
	u64 start = *used;
	struct kernfs_node *parent;
	const char *name;

	*end = PATH_FAULT;
	EVERY_LOOP_STAYS
	for (int step = 0; step < PATH_STEPS; step++) {
		if (read_kernfs_parent(&parent, node))
			goto out;
		if (!parent) {
			*end = PATH_ROOT;
			goto out;
		}
		if (*used - start > PATH_MAX)
			break;
		if (READ(name, node->name) || !append_string(s, name, NAME_MAX))
			goto out;
		node = parent;
	}
	*end = PATH_CUT;
out:
	return *used - start;
}

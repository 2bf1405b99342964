/* The little of the BPF C environment that this program uses: helpers by number, map and section
 * macros, CO-RE queries. Written out here so that a build needs clang and nothing else. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/* Map attributes are types, so that BTF carries them. */
#define MAP_NUMBER(name, value) int (*name)[value]
#define MAP_TYPE(name, type) type *name

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_F_MMAPABLE = 1 << 10,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

/* Numbers from the kernel's include/uapi/linux/bpf.h; the kernel that brought each is named
 * where it is newer than the floor of 5.8. */
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value,
				   u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*bpf_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*bpf_probe_read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*bpf_seq_write)(void *seq, const void *data, u32 size) = (void *)127;
static long (*bpf_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static void *(*bpf_ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
static void (*bpf_ringbuf_discard)(void *record, u64 flags) = (void *)133;
/* 5.18 */
static long (*bpf_copy_from_user_task)(void *to, u32 size, const void *from, void *task,
				       u64 flags) = (void *)191;

/* Answered by the loader from the running kernel's BTF. */
#define field_exists(type, field) __builtin_preserve_field_info(((type *)0)->field, 2)
#define field_offset(type, field) __builtin_preserve_field_info(((type *)0)->field, 0)
#define type_size(type) __builtin_preserve_type_info(*(type *)0, 1)
#define enum_exists(type, value) __builtin_preserve_enum_value(*(type *)value, 0)
#define enum_value(type, value) __builtin_preserve_enum_value(*(type *)value, 1)

/* Has the type described in the object's BTF, where the tests look for its layout. */
#define describe(type) asm volatile("" : : "r"(__builtin_btf_type_id(*(type *)0, 0)))

/* Makes the compiler forget what it knows of a value, so that the bounds check which follows is
 * done on the very register that is used, as the verifier needs it. */
#define forget(value) asm volatile("" : "+r"(value))

#define EVERY_LOOP_STAYS _Pragma("clang loop unroll(disable)")

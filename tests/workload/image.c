// Programs whose file or path is not what it seems.

#define _GNU_SOURCE
#include "workload.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static char *exit_0[] = {"exit", "0", NULL};

// What the copy does: what it was told, or nothing but exit.
static char **or_exit(char **arguments) {
    return arguments[0] ? arguments : exit_0;
}

// The facts are those of the copy.
static void copy_self(int to) {
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat file;
    if (from < 0 || fstat(from, &file) < 0)
        die("cannot open the own file");
    for (off_t left = file.st_size; left > 0;) {
        ssize_t copied = sendfile(to, from, NULL, (size_t)left);
        if (copied <= 0)
            die("cannot copy the own file");
        left -= copied;
    }
    close(from);
    if (fstat(to, &file) < 0)
        die("cannot stat the copy");
    fact("device", "%llu", (unsigned long long)file.st_dev);
    fact("inode", "%llu", (unsigned long long)file.st_ino);
    fact("size", "%lld", (long long)file.st_size);
}

static const char *copy_into(const char *directory, const char *name) {
    static char path[PATH_MAX];
    if (!directory)
        die("which directory?");
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (to < 0)
        die("cannot create %s", path);
    copy_self(to);
    close(to);
    fact("path", "%s", path);
    return path;
}

static int exec_descriptor(int file, char **arguments) {
    char *argv[64] = {"workload"};
    for (int i = 0; arguments[i] && i + 2 < 64; i++)
        argv[i + 1] = arguments[i];
    execveat(file, "", argv, environ, AT_EMPTY_PATH);
    die("cannot execute the copy");
}

// exec-twice STATUS -> exec-twice STATUS last -> exit STATUS
int exec_twice(char **arguments) {
    number(arguments[0]);
    char *again[] = {"exec-twice", arguments[0], "last", NULL};
    char *last[] = {"exit", arguments[0], NULL};
    exec_workload(own_path(), arguments[1] ? last : again);
}

int exec_as_user(char **arguments) {
    unsigned id = (unsigned)number(arguments[0]);
    if (!arguments[1])
        die("which program?");
    if (setgroups(0, NULL) < 0 || setgid(id) < 0 || setuid(id) < 0)
        die("cannot become %u", id);
    fact("uid", "%u", getuid());
    execve(arguments[1], arguments + 1, environ);
    die("cannot execute %s", arguments[1]);
}

int exec_from_memfd(char **arguments) {
    int file = memfd_create("workload-memfd", MFD_CLOEXEC);
    if (file < 0)
        die("cannot create a memfd");
    copy_self(file);
    return exec_descriptor(file, or_exit(arguments));
}

int exec_deleted(char **arguments) {
    const char *path = copy_into(arguments[0], "deleted-workload");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || unlink(path) < 0)
        die("cannot delete %s", path);
    return exec_descriptor(file, or_exit(arguments + 1));
}

int exec_then_unlink(char **arguments) {
    char *inner[64] = {"unlink-self"};
    const char *path = copy_into(arguments[0], "unlinked-workload");
    char **subcommand = or_exit(arguments + 1);
    for (int i = 0; subcommand[i] && i + 2 < 64; i++)
        inner[i + 1] = subcommand[i];
    exec_workload(path, inner);
}

int unlink_own_file(char **arguments) {
    if (unlink(own_path()) < 0)
        die("cannot delete %s", own_path());
    return run_subcommand(or_exit(arguments));
}

int exec_in_mount_namespace(char **arguments) {
    const char *directory = arguments[0];
    if (!directory)
        die("which directory?");
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", directory, "tmpfs", 0, "mode=755") < 0)
        die("cannot mount on %s in a namespace", directory);
    struct stat namespace;
    if (stat("/proc/self/ns/mnt", &namespace) == 0)
        fact("mnt_ns", "%llu", (unsigned long long)namespace.st_ino);
    exec_workload(copy_into(directory, "namespace-workload"), or_exit(arguments + 1));
}

int exec_in_chroot(char **arguments) {
    copy_into(arguments[0], "chroot-workload");
    if (chroot(arguments[0]) < 0 || chdir("/") < 0)
        die("cannot chroot to %s", arguments[0]);
    exec_workload("/chroot-workload", or_exit(arguments + 1));
}

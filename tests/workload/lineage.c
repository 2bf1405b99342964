// Processes whose parent, or whose number, is not what it seems.

#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char *exit_11[] = {"exit", "11", NULL};

static int checked_fork(void) {
    int pid = fork();
    if (pid < 0)
        die("cannot fork");
    return pid;
}

// Returns once the process that forked this one is gone.
static void wait_until_orphaned(int parent) {
    const struct timespec moment = {0, 1000000};
    while (getppid() == parent)
        nanosleep(&moment, NULL);
}

// Returns once every process that inherited the pipe's other end is gone.
static void wait_for_holders(const int pipe_ends[2]) {
    char nothing;
    close(pipe_ends[1]);
    while (read(pipe_ends[0], &nothing, 1) < 0 && errno == EINTR)
        ;
}

int daemonize(char **arguments) {
    int held[2];
    if (pipe(held) < 0)
        die("cannot make a pipe");
    int first = checked_fork();
    if (first == 0) {
        int parent = getpid();
        if (checked_fork() != 0)
            _exit(10);
        setsid();
        wait_until_orphaned(parent);
        fact("daemon", "%d", getpid());
        fact("parent_at_fork", "%d", parent);
        fact("parent_at_exec", "%d", getppid());
        close(held[0]);
        exec_workload(own_path(), arguments[0] ? arguments : exit_11);
    }
    wait_for(first);
    wait_for_holders(held);
    return 0;
}

int orphans(char **arguments) {
    int held[2];
    long count = number(arguments[0]);
    if (pipe(held) < 0)
        die("cannot make a pipe");
    int parent = checked_fork();
    if (parent == 0) {
        parent = getpid();
        for (long i = 0; i < count; i++) {
            int child = checked_fork();
            if (child == 0) {
                wait_until_orphaned(parent);
                _exit((int)(i % 256));
            }
            fact("orphan", "%d", child);
        }
        _exit(10);
    }
    wait_for(parent);
    wait_for_holders(held);
    fact("parent", "%d", parent);
    return 0;
}

int pid_namespace(char **arguments) {
    if (unshare(CLONE_NEWPID) < 0)
        die("cannot make a pid namespace");
    int outer = checked_fork();
    if (outer == 0) {
        // Its own number, the way it sees it.
        fact("inner", "%d", getpid());
        exec_workload(own_path(), arguments[0] ? arguments : exit_11);
    }
    fact("outer", "%d", outer);
    return wait_for(outer);
}

// Forks a child with a pid of choice (Linux 5.5+, privileged). There is no way to
// get the same pid soon that needs no privilege: the kernel hands them out in turn.
static int fork_with_pid(int pid) {
    pid_t wanted = pid;
    struct clone_args how = {
        .exit_signal = SIGCHLD,
        .set_tid = (uintptr_t)&wanted,
        .set_tid_size = 1,
    };
    return (int)syscall(SYS_clone3, &how, sizeof how);
}

int pid_reuse(char **arguments) {
    (void)arguments;
    char *exit_21[] = {"exit", "21", NULL}, *exit_22[] = {"exit", "22", NULL};
    int first = checked_fork();
    if (first == 0)
        exec_workload(own_path(), exit_21);
    wait_for(first);
    int second = fork_with_pid(first);
    if (second < 0)
        die("cannot fork with pid %d", first);
    if (second == 0)
        exec_workload(own_path(), exit_22);
    fact("first", "%d", first);
    fact("second", "%d", second);
    return wait_for(second) == 22 ? 0 : 1;
}

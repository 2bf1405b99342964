// Many processes at one time: more than there may be, as many as there may be, and each in a
// world of its own.

#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Shared by all processes of a bomb.
struct bomb {
    atomic_long wanted, forked, refused;
};

static struct bomb *arm(long total) {
    struct bomb *bomb =
        mmap(NULL, sizeof *bomb, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bomb == MAP_FAILED)
        die("cannot share memory");
    atomic_store(&bomb->wanted, total);
    // Whoever loses its parent comes to this process, and nobody stays behind as a zombie,
    // which would count against the limit.
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || signal(SIGCHLD, SIG_IGN) == SIG_ERR)
        die("cannot become the parent of orphans");
    return bomb;
}

// Whoever is refused a child ends, which makes room, but for the first one, which goes on.
// Each ends with the number of its children.
int bomb(char **arguments) {
    struct bomb *bomb = arm(number(arguments[0]));
    int first = getpid();
    long children = 0;
    while (atomic_fetch_sub(&bomb->wanted, 1) > 0) {
        int pid = fork();
        if (pid > 0) {
            children++;
            atomic_fetch_add(&bomb->forked, 1);
        } else if (pid == 0) {
            children = 0;
        } else if (errno == EAGAIN) {
            atomic_fetch_add(&bomb->wanted, 1);
            atomic_fetch_add(&bomb->refused, 1);
            if (getpid() != first)
                break;
            sched_yield();
        } else {
            die("cannot fork");
        }
    }
    if (getpid() != first)
        _exit((int)(children % 256));
    // With SIGCHLD ignored, this returns when the last one is gone.
    while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR)
        ;
    fact("children", "%ld", children);
    fact("forked", "%ld", atomic_load(&bomb->forked));
    fact("refused", "%ld", atomic_load(&bomb->refused));
    return 0;
}

int join_control_group(char **arguments) {
    char path[PATH_MAX];
    if (!arguments[0])
        die("which control group?");
    snprintf(path, sizeof path, "%s/cgroup.procs", arguments[0]);
    int group = open(path, O_WRONLY | O_CLOEXEC);
    if (group < 0 || write(group, "0", 1) != 1)
        die("cannot join %s", arguments[0]);
    close(group);
    return run_subcommand(arguments + 1);
}

int limit_processes(char **arguments) {
    rlim_t most = (rlim_t)number(arguments[0]);
    if (setrlimit(RLIMIT_NPROC, &(struct rlimit){most, most}) < 0)
        die("cannot set the limit");
    return run_subcommand(arguments + 1);
}

static void wait_for_end_of_input(void) {
    char ignored[64];
    ssize_t count;
    while ((count = read(STDIN_FILENO, ignored, sizeof ignored)) != 0)
        if (count < 0 && errno != EINTR)
            die("cannot read");
}

int await_end_of_input(char **arguments) {
    int status = (int)(number(arguments[0]) % 256);
    wait_for_end_of_input();
    return status;
}

// All children wait for the end of the same input. Their numbers are told at the end, as
// nobody reads before.
int crowd(char **arguments) {
    long count = number(arguments[0]);
    int *children = calloc((size_t)count, sizeof *children);
    if (!children)
        die("no memory");
    for (long i = 0; i < count; i++) {
        children[i] = fork();
        if (children[i] < 0)
            die("cannot fork the %ldth", i);
        if (children[i] == 0) {
            // Nobody would end them, were there too many.
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            wait_for_end_of_input();
            _exit((int)(i % 256));
        }
    }
    fact("ready", "%ld", count);
    for (long i = 0; i < count; i++)
        if (wait_for(children[i]) != i % 256)
            die("%d ended otherwise", children[i]);
    for (long i = 0; i < count; i++)
        printf("child=%d\n", children[i]);
    fflush(stdout);
    return 0;
}

static unsigned long long namespace_number(const char *kind) {
    char path[64];
    struct stat file;
    snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    if (stat(path, &file) < 0)
        die("cannot look at %s", path);
    return file.st_ino;
}

// The first process of new namespaces tells which they are, and waits in another image.
static void be_first(long index) {
    static const char *kinds[] = {"mnt", "pid", "net", "user", "uts", "ipc", "cgroup"};
    char key[32], text[256] = "", status[24];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%s%llu", i ? " " : "",
                 namespace_number(kinds[i]));
    }
    snprintf(key, sizeof key, "namespaces.%ld", index);
    fact(key, "%s", text);
    snprintf(status, sizeof status, "%ld", index % 256);
    char *await[] = {"await", status, NULL};
    exec_workload(own_path(), await);
}

int all_namespaces(char **arguments) {
    enum { NEW = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWUTS |
                 CLONE_NEWIPC | CLONE_NEWCGROUP };
    long count = number(arguments[0]);
    int *outer = calloc((size_t)count, sizeof *outer);
    if (!outer)
        die("no memory");
    for (long i = 0; i < count; i++) {
        outer[i] = fork();
        if (outer[i] < 0)
            die("cannot fork");
        if (outer[i] > 0)
            continue;
        if (unshare(NEW) < 0)
            die("cannot make namespaces");
        // Only a child is in the new pid namespace.
        int first = fork();
        if (first < 0)
            die("cannot fork in a pid namespace");
        if (first == 0)
            be_first(i);
        char key[32];
        snprintf(key, sizeof key, "first.%ld", i);
        fact(key, "%d", first);
        _exit(wait_for(first));
    }
    for (long i = 0; i < count; i++)
        if (wait_for(outer[i]) != i % 256)
            die("%d ended otherwise", outer[i]);
    return 0;
}

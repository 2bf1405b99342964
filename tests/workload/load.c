// Many processes in little time.

#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

// Apart from its caller, whose variables the child must not share.
__attribute__((noinline)) static int spawn(char **argv) {
    int pid = vfork();
    if (pid == 0) {
        execve(argv[0], argv, environ);
        _exit(127);
    }
    if (pid < 0)
        die("cannot fork");
    return pid;
}

struct storm {
    long jobs, argument_bytes, pause_ms;
    int is_pinned, is_workload;
    char *program;
};

// Text that was not there before, and that hardly gets shorter by compression.
static void fill(char *text, size_t length) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned long state = (unsigned long)now_ns() * 0x9e3779b97f4a7c15UL ^ (unsigned long)getpid();
    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text[i] = letters[state >> 58];
    }
    text[length] = 0;
}

// Runs the program as "PROGRAM storm-child INDEX [PADDING]" for each index of the range,
// one after the other; returns how many ran. Only the workload itself is known to exit with
// its index.
static long storm_range(const struct storm *storm, long first, long end) {
    static char padding[128 << 10];
    char index[24];
    char *argv[] = {storm->program, "storm-child", index, NULL, NULL};
    const struct timespec rest = {storm->pause_ms / 1000, storm->pause_ms % 1000 * 1000000};
    for (long i = first; i < end; i++) {
        snprintf(index, sizeof index, "%ld", i);
        if (storm->argument_bytes) {
            size_t others = strlen(argv[0]) + strlen(argv[1]) + strlen(index) + 4;
            fill(padding, (size_t)storm->argument_bytes - others);
            argv[3] = padding;
        }
        int status = wait_for(spawn(argv));
        if (storm->is_workload ? status != i % 256 : status == 127) {
            errno = 0;
            die("%s storm-child %ld: status %d", storm->program, i, status);
        }
        if (storm->pause_ms)
            nanosleep(&rest, NULL);
    }
    return end - first;
}

// Puts this process and its children on the nth of the processors that it may use, round and
// round; returns its number.
static int pin(long nth) {
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        die("cannot tell the processors");
    nth %= CPU_COUNT(&allowed);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &allowed) || nth-- > 0)
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        die("cannot move to processor %d", cpu);
    return cpu;
}

static void storm_job(const struct storm *storm, long total, long job) {
    if (storm->is_pinned)
        fact("pinned", "%d %d", getpid(), pin(job));
    fact("ran", "%ld", storm_range(storm, total * job / storm->jobs, total * (job + 1) / storm->jobs));
}

// Takes the options off the front of the arguments.
static char **storm_options(struct storm *storm, char **arguments) {
    for (; arguments[0] && arguments[0][0] == '-'; arguments++) {
        if (strcmp(arguments[0], "-j") == 0)
            storm->jobs = number(*++arguments);
        else if (strcmp(arguments[0], "-a") == 0)
            storm->argument_bytes = number(*++arguments);
        else if (strcmp(arguments[0], "-w") == 0)
            storm->pause_ms = number(*++arguments);
        else if (strcmp(arguments[0], "-p") == 0)
            storm->is_pinned = 1;
        else
            die("unknown option %s", arguments[0]);
    }
    return arguments;
}

int storm(char **arguments) {
    struct storm storm = {.jobs = 1};
    arguments = storm_options(&storm, arguments);
    long total = number(arguments[0]);
    storm.is_workload = !arguments[1];
    storm.program = storm.is_workload ? (char *)own_path() : arguments[1];
    if (storm.jobs < 1 || storm.jobs > 64)
        die("from 1 to 64 processes, not %ld", storm.jobs);
    // The arguments before the padding must fit, and the padding its room.
    if (storm.argument_bytes &&
        (storm.argument_bytes > 128 << 10 ||
         (size_t)storm.argument_bytes < strlen(storm.program) + sizeof "storm-child" + 24))
        die("%ld bytes of arguments cannot be", storm.argument_bytes);

    long long start = now_ns();
    int workers[64], failures = 0;
    // One job needs no process but this one.
    for (long job = 0; storm.jobs > 1 && job < storm.jobs; job++) {
        workers[job] = fork();
        if (workers[job] < 0)
            die("cannot fork");
        if (workers[job] == 0) {
            storm_job(&storm, total, job);
            _exit(0);
        }
    }
    if (storm.jobs == 1)
        storm_job(&storm, total, 0);
    for (long job = 0; storm.jobs > 1 && job < storm.jobs; job++)
        failures += wait_for(workers[job]) != 0;
    fact("elapsed_ns", "%lld", now_ns() - start);
    for (long job = 0; storm.jobs > 1 && job < storm.jobs; job++)
        fact("worker", "%d", workers[job]);
    return failures != 0;
}

int fork_only(char **arguments) {
    long count = number(arguments[0]);
    for (long i = 0; i < count; i++) {
        int pid = fork();
        if (pid == 0)
            _exit((int)(i % 256));
        if (pid < 0)
            die("cannot fork");
        wait_for(pid);
        fact("child", "%d", pid);
    }
    return 0;
}

// Every other one fails early (no such file), the others late (not a program).
int failed_exec(char **arguments) {
    long count = number(arguments[0]);
    char *argv[] = {"/nonexistent/program", "never", NULL};
    int garbage = memfd_create("garbage", MFD_CLOEXEC);
    if (garbage < 0 || write(garbage, "garbage", 7) != 7)
        die("cannot write a memfd");
    for (long i = 0; i < count; i++) {
        if (i % 2)
            execveat(garbage, "", argv, environ, AT_EMPTY_PATH);
        else
            execve(argv[0], argv, environ);
    }
    return 3;
}

// Many processes in little time.

#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
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

// Runs `program` as "PROGRAM storm-child INDEX" for each index of the range, one
// after the other. Only the workload itself is known to exit with its index.
static void storm_range(char *program, int is_workload, long first, long end) {
    char index[24];
    char *argv[] = {program, "storm-child", index, NULL};
    for (long i = first; i < end; i++) {
        snprintf(index, sizeof index, "%ld", i);
        int status = wait_for(spawn(argv));
        if (is_workload ? status != i % 256 : status == 127) {
            errno = 0;
            die("%s storm-child %ld: status %d", program, i, status);
        }
    }
}

int storm(char **arguments) {
    long jobs = 1;
    if (arguments[0] && strcmp(arguments[0], "-j") == 0) {
        jobs = number(arguments[1]);
        arguments += 2;
    }
    long total = number(arguments[0]);
    int is_workload = !arguments[1];
    char *program = is_workload ? (char *)own_path() : arguments[1];

    long long start = now_ns();
    int workers[64], failures = 0;
    if (jobs < 1 || jobs > 64)
        die("from 1 to 64 processes, not %ld", jobs);
    // One job needs no process but this one.
    for (long job = 0; jobs > 1 && job < jobs; job++) {
        workers[job] = fork();
        if (workers[job] == 0) {
            storm_range(program, is_workload, total * job / jobs, total * (job + 1) / jobs);
            _exit(0);
        }
    }
    if (jobs == 1)
        storm_range(program, is_workload, 0, total);
    for (long job = 0; jobs > 1 && job < jobs; job++)
        failures += wait_for(workers[job]) != 0;
    fact("elapsed_ns", "%lld", now_ns() - start);
    for (long job = 0; jobs > 1 && job < jobs; job++)
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

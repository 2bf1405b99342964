// Processes of several threads, where thread and process must not be confused.

#define _GNU_SOURCE
#include "workload.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static pthread_t start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0)
        die("cannot start a thread");
    return thread;
}

static void *exec_body(void *argument) {
    char **arguments = argument;
    fact("tid", "%d", gettid());
    execve(arguments[0], arguments, environ);
    die("cannot execute %s", arguments[0]);
}

int exec_from_thread(char **arguments) {
    if (!arguments[0])
        die("which program?");
    start(exec_body, arguments);
    for (;;)
        pause();
}

static void *return_at_once(void *argument) {
    return argument;
}

// A few at a time, so that some are born while others die.
int thread_exits(char **arguments) {
    pthread_t threads[4];
    long count = number(arguments[0]);
    for (long i = 0; i < count; i += 4) {
        long batch = count - i < 4 ? count - i : 4;
        for (long j = 0; j < batch; j++)
            threads[j] = start(return_at_once, NULL);
        for (long j = 0; j < batch; j++)
            pthread_join(threads[j], NULL);
    }
    return 7;
}

static void *exit_last(void *argument) {
    const struct timespec while_leader_exits = {0, 50 * 1000000};
    nanosleep(&while_leader_exits, NULL);
    fact("tid", "%d", gettid());
    syscall(SYS_exit, *(long *)argument);
    return NULL;
}

// Both end by exit(2), which ends one thread. Which of the two statuses becomes that
// of the process depends on the kernel: 5.10 takes the leader's, newer ones the last
// thread's. A test must compare with what wait(2) tells.
int leader_exits_first(char **arguments) {
    static long last;
    long first = number(arguments[0]) % 256;
    last = number(arguments[1]) % 256;
    start(exit_last, &last);
    syscall(SYS_exit, first);
    return 125;
}

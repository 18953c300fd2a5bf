/*
 * The limits that the servers are measured against, with nothing in them that a server could do without.
 *
 *   bare serve PORT FILE           an epoll loop: GET /10m... gets FILE by sendfile, all else 1 KiB from memory
 *   bare spawn SECONDS LOOPS PROG  posix_spawn, read to the end, wait, again: "REQUESTS ELAPSED_US CPU_US P99_US"
 *   bare meter UID GID PROG ARGS...  runs a server, says what it costs, and ends it at the end of input
 *
 * serve does not parse: one read is taken for one whole request.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 1024, MAX_FD = 65536, MAX_SAMPLES = 1 << 20 };

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- serve ---- */

/* Without and with "Connection: close". */
static char small_answer[2][2048];
static size_t small_length[2];
static char large_head[2][512];
static size_t large_head_length[2];
static off_t large_size;
static int large_fd;
static off_t large_sent[MAX_FD];
static char closing[MAX_FD];

static int canned_head(char *to, size_t room, int close, long long body)
{
    return snprintf(to, room,
                    "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: bare\r\n"
                    "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\nETag: \"400-0\"\r\n"
                    "Content-Length: %lld\r\nContent-Type: text/plain\r\n%s\r\n",
                    body, close ? "Connection: close\r\n" : "");
}

static void prepare_answers(const char *large_file)
{
    struct stat st;
    large_fd = open(large_file, O_RDONLY | O_CLOEXEC);
    if (large_fd < 0 || fstat(large_fd, &st) < 0)
        die(large_file);
    large_size = st.st_size;
    for (int i = 0; i < 2; i++) {
        large_head_length[i] = canned_head(large_head[i], sizeof large_head[i], i, large_size);
        small_length[i] = canned_head(small_answer[i], sizeof small_answer[i], i, SMALL);
        memset(small_answer[i] + small_length[i], 'x', SMALL);
        small_length[i] += SMALL;
    }
}

/* Sends what is left of the large file; -1 when the connection is lost. */
static int send_large(int epoll, int fd)
{
    while (large_sent[fd] < large_size) {
        ssize_t n = sendfile(fd, large_fd, &large_sent[fd], large_size - large_sent[fd]);
        if (n <= 0 && errno != EAGAIN)
            return -1;
        if (n <= 0)
            break;
    }
    if (large_sent[fd] >= large_size && closing[fd])
        return -1;
    struct epoll_event event = { .events = large_sent[fd] < large_size ? EPOLLOUT : EPOLLIN, .data.fd = fd };
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

/* Reads a request and answers it; -1 when the connection is to be closed. */
static int answer(int epoll, int fd)
{
    char request[4096];
    ssize_t n = recv(fd, request, sizeof request, 0);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return -1;
    int last = closing[fd] = memmem(request, n, "Connection: close", 17) != NULL;
    if (n > 8 && memcmp(request, "GET /10m", 8) == 0) {
        if (send(fd, large_head[last], large_head_length[last], MSG_MORE | MSG_NOSIGNAL) < 0)
            return -1;
        large_sent[fd] = 0;
        return send_large(epoll, fd);
    }
    if (send(fd, small_answer[last], small_length[last], MSG_NOSIGNAL) < 0)
        return -1;
    return last ? -1 : 0;
}

static int listen_on(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 511) < 0)
        die("listen");
    return fd;
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        if (fd >= MAX_FD || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
            close(fd);
    }
}

static _Noreturn void serve(int port, const char *large_file)
{
    struct epoll_event events[256];
    prepare_answers(large_file);
    int listener = listen_on(port), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        die("epoll_ctl");
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(epoll, listener);
            else if ((events[i].events & EPOLLOUT ? send_large(epoll, fd) : answer(epoll, fd)) < 0)
                close(fd);
        }
    }
}

/* ---- spawn ---- */

struct samples {
    size_t count;
    uint32_t micros[MAX_SAMPLES];
};

static uint64_t now_micros(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static void run_program(char *program)
{
    static char *environment[] = { "GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET", "QUERY_STRING=",
                                   "SERVER_PROTOCOL=HTTP/1.1", "PATH=/usr/local/bin:/usr/bin:/bin", NULL };
    char *arguments[] = { program, NULL }, buffer[8192];
    posix_spawn_file_actions_t actions;
    int ends[2], status;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe2");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    if ((errno = posix_spawn(&pid, program, &actions, NULL, arguments, environment)) != 0)
        die(program);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    while (read(ends[0], buffer, sizeof buffer) > 0)
        ;
    close(ends[0]);
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "%s: did not succeed\n", program);
        exit(1);
    }
}

static void spawn_until(uint64_t end, char *program, struct samples *samples)
{
    uint64_t before = now_micros();
    while (before < end && samples->count < MAX_SAMPLES) {
        run_program(program);
        uint64_t after = now_micros();
        samples->micros[samples->count++] = after - before;
        before = after;
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile_99(const struct samples *loops, int n, size_t total)
{
    uint32_t *all = malloc(total * sizeof *all);
    size_t at = 0;
    if (!all)
        die("malloc");
    for (int i = 0; i < n; i++) {
        memcpy(all + at, loops[i].micros, loops[i].count * sizeof *all);
        at += loops[i].count;
    }
    qsort(all, total, sizeof *all, by_value);
    return all[total - 1 - total / 100];
}

/*
 * A counter of the processor time of a process and all that descends from it from now on. /proc would not
 * do: mod_cgid ignores SIGCHLD, and the kernel forgets the time of children that nobody waits for.
 */
static int count_cpu_of(pid_t pid)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK,
        .inherit = 1, .exclude_kernel = 1, .exclude_hv = 1
    };
    return syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int spawn(double seconds, int n, char *program)
{
    struct samples *loops =
        mmap(NULL, n * sizeof *loops, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct rusage used;
    size_t total = 0;
    int status, failed = 0;
    if (loops == MAP_FAILED)
        die("mmap");
    /* A counter that programs inherit costs time at each start; servers bear it, so this does too. */
    count_cpu_of(0);
    setsid();
    uint64_t start = now_micros(), end = start + seconds * 1e6;
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            spawn_until(end, program, &loops[i]);
            _exit(0);
        }
    }
    for (int i = 0; i < n; i++)
        failed |= wait(&status) < 0 || status != 0;
    uint64_t elapsed = now_micros() - start;
    for (int i = 0; i < n; i++)
        total += loops[i].count;
    if (failed || total == 0)
        return 1;
    getrusage(RUSAGE_CHILDREN, &used);
    uint64_t cpu = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000ull
                   + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    printf("%zu %llu %llu %u\n", total, (unsigned long long)elapsed, (unsigned long long)cpu,
           percentile_99(loops, n, total));
    return 0;
}

/* ---- meter ---- */

/* In a session of its own, as a service manager starts a server: the kernel shares the processor out by sessions. */
static _Noreturn void become(uid_t uid, gid_t gid, char **argv)
{
    setsid();
    int nothing = open("/dev/null", O_RDONLY);
    if ((geteuid() == 0 && setgroups(0, NULL) < 0) || setgid(gid) < 0 || setuid(uid) < 0)
        die("setuid");
    dup2(nothing, 0);
    dup2(2, 1);
    close(nothing);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    execvp(argv[0], argv);
    die(argv[0]);
}

/* Writes nanoseconds for each byte read, until the input or the server ends. */
static void tell(int counter, int server)
{
    struct pollfd waiting[] = { { .fd = 0, .events = POLLIN }, { .fd = server, .events = POLLIN } };
    char byte;
    while (poll(waiting, 2, -1) > 0 && !waiting[1].revents && read(0, &byte, 1) == 1) {
        uint64_t nanoseconds = 0;
        if (read(counter, &nanoseconds, sizeof nanoseconds) < 0)
            nanoseconds = 0;
        printf("%llu\n", (unsigned long long)nanoseconds);
        fflush(stdout);
    }
}

/* Its first line of output is the server's process id, and whether its cost can be counted. */
static int meter(uid_t uid, gid_t gid, char **argv)
{
    int gate[2], status;
    char byte;
    if (pipe2(gate, O_CLOEXEC) < 0)
        die("pipe2");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        close(gate[1]);
        if (read(gate[0], &byte, 1) == 1)
            become(uid, gid, argv);
        _exit(1);
    }
    int counter = count_cpu_of(pid), server = syscall(SYS_pidfd_open, pid, 0);
    if (server < 0)
        die("pidfd_open");
    printf("%d %d\n", (int)pid, counter >= 0);
    fflush(stdout);
    if (write(gate[1], "g", 1) != 1)
        die("write");
    tell(counter, server);
    struct pollfd end = { .fd = server, .events = POLLIN };
    kill(pid, SIGTERM);
    /* All of it, this process too, is one process group. */
    if (poll(&end, 1, 5000) != 1)
        kill(0, SIGKILL);
    waitpid(pid, &status, 0);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0) {
        // A client that leaves in the middle of a file ends nothing.
        signal(SIGPIPE, SIG_IGN);
        serve(atoi(argv[2]), argv[3]);
    }
    if (argc == 5 && strcmp(argv[1], "spawn") == 0)
        return spawn(atof(argv[2]), atoi(argv[3]), argv[4]);
    if (argc >= 5 && strcmp(argv[1], "meter") == 0)
        return meter(atoi(argv[2]), atoi(argv[3]), argv + 4);
    fprintf(stderr, "usage: bare serve PORT FILE | spawn SECONDS LOOPS PROG | meter UID GID PROG ARGS...\n");
    return 2;
}

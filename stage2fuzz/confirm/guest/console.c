/* Orders and answers, the clock, and the one way to give up. */
#define _GNU_SOURCE
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

/* One write a line, so that a line of the kernel may come between two of ours but never inside. */
void say(const char *format, ...)
{
	char line[4096] = "S2 ";
	va_list rest;
	va_start(rest, format);
	int length = 3 + vsnprintf(line + 3, sizeof line - 4, format, rest);
	va_end(rest);
	if (length > (int)sizeof line - 2)
		length = sizeof line - 2;
	line[length++] = '\n';
	for (int at = 0; at < length;) {
		ssize_t done = write(1, line + at, length - at);
		if (done < 0)
			break;
		at += done;
	}
}

void die(const char *what)
{
	say("die %s: %s", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* The next order without its end; 0 when there will be none. */
int next_line(char *line, int size)
{
	static char waiting[4096];
	static int at, end;
	int length = 0;
	while (length < size - 1) {
		if (at == end) {
			ssize_t got = read(0, waiting, sizeof waiting);
			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				return 0;
			at = 0;
			end = got;
		}
		char c = waiting[at++];
		if (c == '\n')
			break;
		if (c != '\r')
			line[length++] = c;
	}
	line[length] = 0;
	return 1;
}

uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}

/* Write a setting of the kernel; -1 where there is no such file. */
int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	ssize_t done = write(fd, text, strlen(text));
	close(fd);
	return done < 0 ? -1 : 0;
}

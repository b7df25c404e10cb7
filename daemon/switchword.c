#include "switchword.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "logline.h"

int
switchword_open(int fd[2], struct ops_err *err)
{
	static_assert(OFFSWITCH_MAX <= PIPE_BUF, "a word is one packet");

	/* In packets, so that a word is whole. */
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK | O_DIRECT) < 0)
		return ops_fail_errno(err, "pipe");
	return 0;
}

bool
switchword_say(int fd, const struct offswitch *s)
{
	struct ops_buf b = { .max = OFFSWITCH_MAX };
	bool said;

	offswitch_put(&b, s, (uint32_t)getpid());
	said = !b.failed && write(fd, b.data, b.len) == (ssize_t)b.len;
	ops_buf_free(&b);
	return said;
}

bool
switchword_hear(int fd, struct offswitch *ret)
{
	uint8_t packet[PIPE_BUF];
	struct ops_err err = { 0 };
	bool heard = false;
	ssize_t n;

	while ((n = read(fd, packet, sizeof(packet))) > 0) {
		err = (struct ops_err){ 0 };
		if (offswitch_get(packet, (size_t)n, ret, &err) == 0)
			heard = true;
		else
			logline("the writer says: %s", err.msg);
	}
	return heard;
}

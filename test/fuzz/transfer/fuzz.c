/*
 * transfer - first byte: which program; the rest: its arguments.  Names are a part
 * of the arguments, up to their end; another program's file makes it none.
 */
#include "../fuzz.h"

#include "transfer.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const files[] = { "/usr/bin/scp", "/usr/bin/rsync",
		"/usr/bin/git", "/usr/lib/openssh/sftp-server" };
	struct program_exec e = { 0 };
	struct transfer t = { 0 };
	const char *file;

	if (size == 0)
		return 0;
	file = files[data[0] % 4];
	e.exe = (struct event_text){ (const uint8_t *)file, strlen(file) };
	e.args = (struct event_text){ data + 1, size - 1 };
	if (transfer_of(&e, &t)) {
		REQUIRE(transfer_way_name(t.way) != NULL && t.program != NULL);
		REQUIRE(t.names.p != NULL || t.names.n == 0);
		REQUIRE(t.names.p == NULL ||
			(t.names.p > e.args.p &&
			    t.names.p + t.names.n == e.args.p + e.args.n));
	}
	e.exe.n--;
	REQUIRE(!transfer_of(&e, &t));
	return 0;
}

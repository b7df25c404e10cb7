#include "rolebox.h"

#include <limits.h>
#include <stdio.h>

#include "sandbox.h"

static const char *
lacks_of(const struct sandbox *s)
{
	if (s->kind != SANDBOX_LOOK && !s->files)
		return "Landlock";
	return s->kind != SANDBOX_NO_WRITE && !s->calls ? "seccomp" : NULL;
}

static int
enter_index(const char *store, const char **lacks, struct ops_err *err)
{
	char data[PATH_MAX], log[PATH_MAX], index[PATH_MAX];
	const char *const read[] = { data, log, NULL };
	struct sandbox box = {
		.kind = SANDBOX_SHUT, .read = read, .write = index
	};

	if (snprintf(data, sizeof(data), "%s/data", store) >= PATH_MAX ||
	    snprintf(log, sizeof(log), "%s/log", store) >= PATH_MAX ||
	    snprintf(index, sizeof(index), "%s/index", store) >= PATH_MAX)
		return ops_fail(err, OPS_EUSAGE, "STORE: too long");
	if (sandbox_enter(&box, err) < 0)
		return -1;
	*lacks = lacks_of(&box);
	return 0;
}

int
rolebox_enter(
    enum role_id id, const char *store, const char **lacks, struct ops_err *err)
{
	struct sandbox box = { .kind = SANDBOX_NO_WRITE };

	*lacks = NULL;
	switch (id) {
	case ROLE_INDEX:
		return enter_index(store, lacks, err);
	case ROLE_SCAN:
		box.kind = SANDBOX_LOOK;
		break;
	case ROLE_SESSION:
	case ROLE_QUERY:
		break;
	case ROLE_WRITER:
	case ROLE_CAPTURE:
	case ROLES:
		return 0;
	}
	if (sandbox_enter(&box, err) < 0)
		return -1;
	*lacks = lacks_of(&box);
	return 0;
}

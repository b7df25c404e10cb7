#include "login.h"

#include "base/bytes.h"
#include "body.h"

#define TEXT_AT(s, m) offsetof(struct s, m), EVENT_TEXT_MAX

/* clang-format off */
static const struct map_field login_fields[] = {
	{ 1,  MAP_UINT, MAP_AT(login, auid) },
	{ 2,  MAP_UINT, MAP_AT(login, ses) },
	{ 3,  MAP_UINT, MAP_AT(login, pid) },
	{ 4,  MAP_UINT, MAP_AT(login, start) },
	{ 5,  MAP_UINT, MAP_AT(login, uid) },
	{ 6,  MAP_VIEW, TEXT_AT(login, user) },
	{ 7,  MAP_VIEW, TEXT_AT(login, service) },
	{ 8,  MAP_VIEW, TEXT_AT(login, from) },
	{ 9,  MAP_VIEW, TEXT_AT(login, tty) },
	{ 10, MAP_VIEW, TEXT_AT(login, method) },
	{ 11, MAP_VIEW, TEXT_AT(login, key) },
	{ 12, MAP_VIEW, TEXT_AT(login, type) },
	{ 13, MAP_VIEW, TEXT_AT(login, cert_id) },
	{ 14, MAP_UINT, MAP_AT(login, serial) },
	{ 15, MAP_VIEW, TEXT_AT(login, ca) },
	{ 16, MAP_VIEW, offsetof(struct login, principals), LOGIN_PRINCIPALS_MAX },
	{ 17, MAP_VIEW, TEXT_AT(login, comment) },
	{ 18, MAP_VIEW, TEXT_AT(login, person) },
	{ 19, MAP_UINT, MAP_AT(login, how) },
	{ 20, MAP_UINT, MAP_AT(login, realtime) },
};

static const struct map_field logout_fields[] = {
	{ 1, MAP_UINT, MAP_AT(logout, auid) },
	{ 2, MAP_UINT, MAP_AT(logout, ses) },
	{ 3, MAP_UINT, MAP_AT(logout, pid) },
	{ 4, MAP_UINT, MAP_AT(logout, start) },
	{ 5, MAP_VIEW, TEXT_AT(logout, user) },
	{ 6, MAP_VIEW, TEXT_AT(logout, service) },
	{ 7, MAP_UINT, MAP_AT(logout, bytes_in), .has = MAP_HAS(logout, has_bytes) },
	{ 8, MAP_UINT, MAP_AT(logout, bytes_out), .has = MAP_HAS(logout, has_bytes_out) },
	{ 9, MAP_UINT, MAP_AT(logout, realtime) },
};
/* clang-format on */

void
login_put(struct ops_buf *b, const struct login *l)
{
	body_put(
	    b, body_no_session, login_fields, OPS_ARRAY_LEN(login_fields), l);
}

void
logout_put(struct ops_buf *b, const struct logout *l)
{
	struct logout all = *l;

	all.has_bytes_out = all.has_bytes;
	body_put(b, body_no_session, logout_fields,
	    OPS_ARRAY_LEN(logout_fields), &all);
}

int
login_get(const uint8_t *p, size_t n, struct login *ret, struct ops_err *err)
{
	struct login l, got;

	if (body_get(p, n, login_fields, OPS_ARRAY_LEN(login_fields), &l,
		sizeof(l), &got, err) < 0)
		return -1;
	if ((got.how != LOGIN_NOBODY) != (got.person.p != NULL))
		return ops_fail(err, OPS_EFORMAT, "login: half of a person");
	*ret = got;
	return 0;
}

int
logout_get(const uint8_t *p, size_t n, struct logout *ret, struct ops_err *err)
{
	struct logout l, got;

	if (body_get(p, n, logout_fields, OPS_ARRAY_LEN(logout_fields), &l,
		sizeof(l), &got, err) < 0)
		return -1;
	if (got.has_bytes != got.has_bytes_out)
		return ops_fail(
		    err, OPS_EFORMAT, "logout: half of a count of bytes");
	*ret = got;
	return 0;
}

const char *
login_how_name(uint32_t how)
{
	static const char *const names[LOGIN_HOWS] = {
		[LOGIN_MAP] = "map",
		[LOGIN_COMMENT] = "comment",
		[LOGIN_FINGERPRINT] = "fingerprint",
	};

	return how < LOGIN_HOWS ? names[how] : NULL;
}

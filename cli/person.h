/*
 * person - who is behind a session and how he came there, in words and as JSON.
 */
#ifndef OPS_CLI_PERSON_H
#define OPS_CLI_PERSON_H

#include "base/buf.h"
#include "base/json.h"
#include "record/login.h"
#include "store/session.h"

/* Lines that begin with a label of `width` columns, with the mark of who says so. */
void person_put(struct ops_buf *out, const struct login *l, int width);

/* Keys of an object that is open: all null where nothing is known. */
void person_json(struct json *j, const struct session *s);
void person_json_login(struct json *j, const struct login *l);
/* One text, null if it is absent. */
void person_json_text(
    struct json *j, const char *name, const struct event_text *t);

#endif

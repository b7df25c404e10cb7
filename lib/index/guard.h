/*
 * guard - which files SQLite may open and remove.
 *
 * An index may be anybody's: a copy of a store, opened by root.  SQLite opens what
 * lies under its names, be it a FIFO or another's file, makes -wal and -shm where
 * a header asks for it, and removes what a journal names.  So its open(2) and
 * unlink(2) are replaced, for the whole process: nothing else here uses SQLite.
 * A look beforehand would not do, as the file may be another one afterwards.
 */
#ifndef OPS_INDEX_GUARD_H
#define OPS_INDEX_GUARD_H

#include "base/err.h"

#define INDEX_DIR "index"
#define INDEX_FILE "programs.sqlite"

/*
 * Before the first open; any thread, any number of times.  From then on SQLite
 * opens only regular files and folders and never waits for one, follows no link,
 * writes into no file that has a second name, knows no -wal and no -shm, removes
 * only index/programs.sqlite-journal, and has MEMORY_MAX at most.
 */
int guard_install(struct ops_err *err);

/*
 * Before path, an index, is opened for writing.  OPS_EFORMAT: it or its journal is
 * nothing that we left there, so SQLite mustn't look at it.  What the journal says
 * is not believed either; this is only so that the index is begun anew.
 */
int guard_look(const char *path, struct ops_err *err);

#endif

/* What the executable carries behind its launcher: a manifest and the contents of the files it lists. */
#include <limits.h>

extern char archive_file[PATH_MAX]; /* this very executable */
extern char archive_id[17];         /* the manifest's hash: the same for the same contents */

/* Finds the archive. Ends the process with a message if the file is damaged. */
void archive_open(void);

/* Says whether every file of the archive is in the directory, with its size and mode. */
int archive_intact(int directory);

/* Writes the archive into the directory, file by file or not at all. Returns NULL, or why it could not.
 * Ends the process with a message if the archive is damaged. */
const char *archive_unpack(int directory);

/* Ends the process with a message. */
_Noreturn void fail(const char *format, ...);

/* What the executable carries behind its launcher: the manifest, the contents (a zstd frame each) and the trailer. The
 * manifest has a line "size mode path" for each file, the contents are the files in that order. */
#include "zstd.c"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "clawmesh archive"
#define MANIFEST_LIMIT (16 << 20)
#define DAMAGED "%s is damaged: get the file again", archive_file

struct trailer { char magic[16], id[16]; uint64_t manifest, contents; };
struct entry { mode_t mode; off_t size; char path[PATH_MAX]; };

static char archive_file[PATH_MAX]; /* this very executable */
static char archive_id[17];         /* the same for the same contents: the beginning of their manifest's hash */
static const char *manifest;
static ZSTD_inBuffer contents;

static _Noreturn void fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("clawmesh: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    exit(1);
}

/* Finds the archive. Ends the process with a message if the file is damaged. */
static void archive_open(void) {
    /* A bare container may have no /proc. */
    if (readlink("/proc/self/exe", archive_file, PATH_MAX - 1) < 0
        && !realpath((const char *)getauxval(AT_EXECFN), archive_file)) fail("cannot find its own file");
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* this file still, if an update has just replaced it */
    if (file < 0) file = open(archive_file, O_RDONLY | O_CLOEXEC);
    struct stat found;
    if (file < 0 || fstat(file, &found) < 0) fail("cannot read %s: %s", archive_file, strerror(errno));
    struct trailer end;
    off_t offset = found.st_size - (off_t)sizeof end;
    if (offset < 0 || pread(file, &end, sizeof end, offset) != sizeof end || memcmp(end.magic, MAGIC, sizeof end.magic)
        || end.contents > (uint64_t)offset || end.manifest > (uint64_t)offset - end.contents) fail(DAMAGED);
    const char *map = mmap(NULL, found.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (map == MAP_FAILED) fail("cannot map %s: %s", archive_file, strerror(errno));
    close(file);
    memcpy(archive_id, end.id, sizeof end.id);
    contents = (ZSTD_inBuffer){map + offset - end.contents, end.contents, 0};
    const char *packed = map + offset - end.contents - end.manifest;
    unsigned long long size = ZSTD_getFrameContentSize(packed, end.manifest);
    char *text = size < MANIFEST_LIMIT ? calloc(1, size + 1) : NULL;
    if (!text || ZSTD_decompress(text, size, packed, end.manifest) != size) fail(DAMAGED);
    manifest = text;
}

/* Reads the manifest's line at the cursor and moves behind it; returns 0 at the end. */
static int next(const char **cursor, struct entry *entry) {
    if (!**cursor) return 0;
    char *rest;
    entry->size = strtoll(*cursor, &rest, 10);
    entry->mode = strtoul(rest, &rest, 8);
    const char *path = rest + strlen(" ");
    size_t length = strchrnul(path, '\n') - path;
    if (length >= sizeof entry->path) fail(DAMAGED);
    memcpy(entry->path, path, length);
    entry->path[length] = '\0';
    *cursor = path + length + 1;
    return 1;
}

/* Returns the name that a file has until all of them are there and found good. */
static const char *fresh(const struct entry *entry) {
    static char path[PATH_MAX + sizeof ".new"];
    snprintf(path, sizeof path, "%s.new", entry->path);
    return path;
}

/* Says whether every file is in the directory with its size and mode: a library that was cut short would end the
 * program by SIGBUS much later. */
static int archive_intact(int directory) {
    struct entry entry;
    struct stat found;
    for (const char *cursor = manifest; next(&cursor, &entry);)
        if (fstatat(directory, entry.path, &found, AT_SYMLINK_NOFOLLOW) < 0 || found.st_size != entry.size
            || found.st_mode != entry.mode) return 0;
    return 1;
}

static int write_all(int file, const char *data, size_t size) {
    while (size) {
        ssize_t written = write(file, data, size);
        if (written < 0 && errno != EINTR) return -1;
        if (written > 0) data += written, size -= written;
    }
    return 0;
}

/* Writes one file under its fresh name; returns -1 with errno if the disk refuses. */
static int write_entry(int directory, const struct entry *entry, ZSTD_DStream *stream, size_t *open_frame) {
    static char buffer[1 << 20];
    for (char *slash = strchr(entry->path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdirat(directory, entry->path, 0700); /* if it fails, so does the open below */
        *slash = '/';
    }
    int file = openat(directory, fresh(entry), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) return -1;
    int result = 0;
    for (off_t left = entry->size; left && !result;) {
        ZSTD_outBuffer out = {buffer, left < (off_t)sizeof buffer ? (size_t)left : sizeof buffer, 0};
        *open_frame = ZSTD_decompressStream(stream, &out, &contents);
        if (ZSTD_isError(*open_frame) || !out.pos) return close(file), errno = EBADMSG, -1;
        result = write_all(file, buffer, out.pos);
        left -= out.pos;
    }
    if (!result) result = fchmod(file, entry->mode & 0777);
    int cause = errno;
    if (close(file) < 0) return -1; /* where a quota speaks up */
    return errno = cause, result;
}

/* Writes the archive into the directory, wholly or not at all. Returns NULL, or why it could not.
 * Ends the process with a message if the archive is damaged. */
static const char *archive_unpack(int directory) {
    struct entry entry;
    int result = 0;
    ZSTD_DStream *stream = ZSTD_createDStream();
    size_t open_frame = 1;
    contents.pos = 0;
    for (const char *cursor = manifest; !result && next(&cursor, &entry);)
        result = stream ? write_entry(directory, &entry, stream, &open_frame) : -1;
    if (!result && open_frame) result = -1, errno = EBADMSG; /* the frame's end is where zstd compares its checksum */
    int cause = errno;
    for (const char *cursor = manifest; result && next(&cursor, &entry);) unlinkat(directory, fresh(&entry), 0);
    if (result && cause == EBADMSG) fail(DAMAGED);
    for (const char *cursor = manifest; !result && next(&cursor, &entry);)
        if ((result = renameat(directory, fresh(&entry), directory, entry.path)) < 0) cause = errno;
    ZSTD_freeDStream(stream);
    return result ? strerror(cause) : NULL;
}

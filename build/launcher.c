/* The head of the executable: unpacks its archive once, into a private directory, and runs the program from there.
 *
 * The directory is PLACE/clawmesh-UID/ID. Starting takes a shared lock on PLACE/clawmesh-UID, unpacking and removing
 * old versions an exclusive one. The program holds a shared lock on its own directory as long as it lives, so that
 * nobody removes it, systemd-tmpfiles included. */
#define _GNU_SOURCE
#include "archive.c" /* not linked to it: seeing all at once, the compiler drops the compressing half of zstd */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const struct { const char *variable, *folder; } PLACES[] = {
    {"CLAWMESH_RUNTIME_DIR", ""}, {"XDG_CACHE_HOME", ""}, {"HOME", "/.cache"},
    {NULL, "/var/tmp"}, {NULL, "/tmp"}, {NULL, "/dev/shm"}};

/* Says why another user could put something else in the place of a directory's children; NULL if nobody can. */
static const char *unsafe(const char *path) {
    struct stat found;
    if (stat(path, &found) < 0) return strerror(errno);
    if (!S_ISDIR(found.st_mode)) return "is not a directory";
    if (found.st_uid != geteuid() && found.st_uid != 0) return "belongs to another user";
    if ((found.st_mode & (S_IWGRP | S_IWOTH)) && !(found.st_mode & S_ISVTX)) return "others may write to it";
    return NULL;
}

/* Makes the place itself where it is missing, as the XDG specification asks, but nothing above it. */
static const char *make_place(const char *place) {
    struct stat found;
    if (place[0] != '/') return "is not an absolute path";
    if (stat(place, &found) == 0 || errno != ENOENT) return unsafe(place);
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s", place);
    char *slash = strrchr(parent, '/');
    slash[slash == parent] = '\0';
    const char *reason = unsafe(parent);
    if (!reason && mkdir(place, 0700) < 0 && errno != EEXIST) reason = strerror(errno);
    return reason ? reason : unsafe(place);
}

/* Opens the private directory, made if it is missing, and returns it; -1 with the reason if it is not ours alone. */
static int open_private(const char *path, const char **reason) {
    struct stat found;
    struct statvfs mount;
    *reason = mkdir(path, 0700) < 0 && errno != EEXIST ? strerror(errno) : NULL;
    if (*reason) return -1;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0 || fstat(directory, &found) < 0 || fstatvfs(directory, &mount) < 0) *reason = strerror(errno);
    else if (found.st_uid != geteuid()) *reason = "belongs to another user";
    else if ((found.st_mode & 07777) != 0700) *reason = "others may enter it: its mode should be 0700";
    else if (mount.f_flag & ST_NOEXEC) *reason = "is mounted noexec";
    if (*reason && directory >= 0) close(directory);
    return *reason ? -1 : directory;
}

static int remove_one(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)found, (void)kind, (void)place;
    return remove(path), 0;
}

/* Removes a version that no process runs from. */
static void discard(const char *path) {
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) return;
    if (flock(directory, LOCK_EX | LOCK_NB) == 0) nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    close(directory);
}

static void discard_others(const char *home) {
    char path[PATH_MAX];
    DIR *list = opendir(home);
    for (struct dirent *entry; list && (entry = readdir(list));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, archive_id)
            && snprintf(path, sizeof path, "%s/%s", home, entry->d_name) < (int)sizeof path) discard(path);
    if (list) closedir(list);
}

/* Returns the directory with the whole archive in it; the caller holds the lock on its parent. */
static int open_version(const char *home, const char *path, int lock, const char **reason) {
    int version = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (version >= 0 && archive_intact(version)) return version;
    if (version >= 0) close(version);
    if (flock(lock, LOCK_EX) < 0) return *reason = strerror(errno), -1;
    mkdir(path, 0700);
    version = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (version < 0) return *reason = strerror(errno), -1;
    if (archive_intact(version)) return version; /* somebody else was faster */
    discard_others(home);
    *reason = archive_unpack(version);
    if (!*reason) return version;
    close(version);
    discard(path);
    return -1;
}

/* Runs the program from this place; returns only if that cannot be, with the reason. */
static const char *run(const char *home, char **arguments) {
    char path[PATH_MAX + 32], program[PATH_MAX + 64], number[16];
    const char *reason;
    int lock = open_private(home, &reason);
    if (lock < 0) return reason;
    snprintf(path, sizeof path, "%s/%s", home, archive_id);
    int version = flock(lock, LOCK_SH) < 0 ? (reason = strerror(errno), -1) : open_version(home, path, lock, &reason);
    if (version >= 0 && flock(version, LOCK_SH) < 0) reason = strerror(errno), close(version), version = -1;
    close(lock);
    if (version < 0) return reason;
    int held = fcntl(version, F_DUPFD, 3); /* survives the exec, and is no standard stream, even if one is closed */
    snprintf(program, sizeof program, "%s/clawmesh", path);
    snprintf(number, sizeof number, "%d", held);
    setenv("CLAWMESH_FILE", archive_file, 1);
    setenv("CLAWMESH_LOCK", number, 1);
    unsetenv("_PYI_ARCHIVE_FILE"); /* of a ClawMesh that started this one: PyInstaller would take over its settings */
    if (access("/proc/self/exe", F_OK) < 0) arguments[0] = program; /* PyInstaller's other way to find its file */
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, NULL); /* until the program is there and can end as it should */
    execv(program, arguments);
    sigprocmask(SIG_UNBLOCK, &interrupt, NULL);
    reason = strerror(errno);
    close(version), close(held);
    return reason;
}

int main(int count, char **arguments) {
    static char reasons[sizeof PLACES / sizeof *PLACES * (PATH_MAX + 64)];
    size_t used = 0;
    (void)count;
    archive_open();
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        char place[PATH_MAX - 64], home[PATH_MAX];
        const char *variable = PLACES[i].variable, *value = variable ? getenv(variable) : "";
        if (!value || (variable && !*value)) continue;
        snprintf(place, sizeof place, "%s%s", value, PLACES[i].folder);
        snprintf(home, sizeof home, "%s/clawmesh-%u", place, geteuid());
        const char *culprit = place, *reason = variable ? make_place(place) : unsafe(place);
        if (!reason) reason = run(culprit = home, arguments);
        used += snprintf(reasons + used, sizeof reasons - used, "\n  %s: %s", culprit, reason);
    }
    fail("no directory to unpack into; set CLAWMESH_RUNTIME_DIR to one of your own:%s", reasons);
}

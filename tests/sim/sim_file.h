/*
 * The fake file system: a flat list of nodes by absolute path, all of them under /sim/.
 *
 * A file's content is kept as bytes, or made from a tag and the offset (so that a file can be
 * larger than memory, and a reader can tell any byte of any file).
 */
#ifndef SIM_FILE_H
#define SIM_FILE_H

#include <sys/stat.h>

#include "sim_kernel.h"
#include "sim_queue.h"

struct sim_sock;

enum sim_node_kind { SIM_NODE_FILE, SIM_NODE_FOLDER, SIM_NODE_SOCKET, SIM_NODE_FIFO };

struct sim_node {
    struct list link; /* in sim_world->nodes */
    enum sim_node_kind kind;
    char *path;             /* owned; NULL once unlinked */
    uint32_t refs;          /* the name, open files, a bound socket */
    struct sim_sock *sock;  /* borrowed: bound here, or NULL */
    struct sim_queue bytes; /* of a file without a tag */
    uint32_t tag;           /* not 0: the content is made by sim_file_byte */
    uint64_t size;
    mode_t mode;
    uint64_t inode;
    int64_t modified_s;
};

struct sim_file {
    struct sim_desc desc;  /* first */
    struct sim_node *node; /* shared: a reference */
    uint64_t offset;
};

/* The byte at `offset` of content with that tag. */
static inline char sim_file_byte(uint32_t tag, uint64_t offset)
{
    uint64_t mixed = (offset / 8 + tag) * 0x9e3779b97f4a7c15u;

    return (char)(mixed >> ((offset % 8) * 8));
}

/* Makes a file, replacing what has that name. */
struct sim_node *sim_node_make(const char *path, uint32_t tag, uint64_t size);
/* Makes a folder; what lies in it is found by its own whole path. */
struct sim_node *sim_node_make_folder(const char *path);
struct sim_node *sim_node_find(const char *path);
void sim_node_resize(struct sim_node *node, uint64_t size);
int sim_node_unlink(const char *path);
int sim_node_bind(const char *path, struct sim_sock *sock);
void sim_node_unbind(struct sim_node *node);
/* 0 and the socket bound there (or NULL), -ENOENT, -ECONNREFUSED. */
int sim_node_listener(const char *path, struct sim_sock **out_sock);
int sim_node_stat(struct sim_node *node, struct stat *out_stat);
void sim_nodes_end(void);

int sim_file_open(const char *path, int flags, mode_t mode);
/* openat2 beneath an open folder; `cached_only` is RESOLVE_CACHED. */
int sim_file_open_beneath(struct sim_file *folder, const char *path, int flags, bool cached_only);
void sim_file_close(struct sim_file *file);
int64_t sim_file_read_at(struct sim_file *file, void *out, size_t bytes, uint64_t offset);
int64_t sim_file_read(struct sim_file *file, void *out, size_t bytes);
int64_t sim_file_write(struct sim_file *file, const void *in, size_t bytes);

/* sendfile: `offset` NULL uses and moves the file's own. */
int64_t sim_file_send(struct sim_sock *sock, struct sim_file *file, int64_t *offset, size_t bytes);

#endif

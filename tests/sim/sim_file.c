/*
 * Files, and the names of unix sockets.
 */
#include "sim_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "sim_socket.h"

enum { FILE_TURN_BYTES_MAX = 65536 };

struct sim_node *sim_node_find(const char *path)
{
    for (struct list *at = sim_world->nodes.next; at != &sim_world->nodes; at = at->next) {
        struct sim_node *node = LIST_ENTRY(at, struct sim_node, link);

        if (node->path && strcmp(node->path, path) == 0)
            return node;
    }
    return NULL;
}

static struct sim_node *node_create(const char *path, enum sim_node_kind kind, mode_t mode)
{
    struct sim_node *node = calloc(1, sizeof(*node));

    if (!node)
        abort();
    node->path = strdup(path);
    node->kind = kind;
    node->refs = 1;
    node->mode = mode;
    node->inode = sim_random_next(&sim_world->random) >> 32;
    node->modified_s = (int64_t)(sim_clock_real_ns(&sim_world->clock) / SIM_NS_PER_S);
    list_append(&sim_world->nodes, &node->link);
    return node;
}

static void node_free(struct sim_node *node)
{
    list_remove(&node->link);
    sim_queue_end(&node->bytes);
    free(node->path);
    free(node);
}

static void node_put(struct sim_node *node)
{
    if (--node->refs == 0)
        node_free(node);
}

int sim_node_unlink(const char *path)
{
    struct sim_node *node = sim_node_find(path);

    if (!node)
        return -ENOENT;
    free(node->path);
    node->path = NULL;
    node_put(node);
    return 0;
}

struct sim_node *sim_node_make(const char *path, uint32_t tag, uint64_t size)
{
    struct sim_node *node;

    (void)sim_node_unlink(path);
    node = node_create(path, SIM_NODE_FILE, 0644);
    node->tag = tag;
    node->size = tag != 0 ? size : 0; /* without a tag it has what is written to it */
    return node;
}

struct sim_node *sim_node_make_folder(const char *path)
{
    (void)sim_node_unlink(path);
    return node_create(path, SIM_NODE_FOLDER, 0755);
}

void sim_node_resize(struct sim_node *node, uint64_t size)
{
    CHECK(node->tag != 0);
    node->size = size;
}

int sim_node_bind(const char *path, struct sim_sock *sock)
{
    if (sim_node_find(path))
        return -EADDRINUSE;
    struct sim_node *node = node_create(path, SIM_NODE_SOCKET, sock->mode & ~(mode_t)022);

    node->refs++;
    node->sock = sock;
    sock->node = node;
    return 0;
}

void sim_node_unbind(struct sim_node *node)
{
    node->sock->node = NULL;
    node->sock = NULL;
    node_put(node);
}

int sim_node_listener(const char *path, struct sim_sock **out_sock)
{
    struct sim_node *node = sim_node_find(path);

    if (!node)
        return -ENOENT;
    if (node->kind != SIM_NODE_SOCKET)
        return -ECONNREFUSED;
    *out_sock = node->sock;
    return 0;
}

int sim_node_stat(struct sim_node *node, struct stat *out_stat)
{
    static const mode_t kinds[] = {[SIM_NODE_FILE] = S_IFREG,
                                   [SIM_NODE_FOLDER] = S_IFDIR,
                                   [SIM_NODE_SOCKET] = S_IFSOCK,
                                   [SIM_NODE_FIFO] = S_IFIFO};

    memset(out_stat, 0, sizeof(*out_stat));
    out_stat->st_mode = kinds[node->kind] | node->mode;
    out_stat->st_size = (off_t)node->size;
    out_stat->st_ino = (ino_t)node->inode;
    out_stat->st_dev = 7;
    out_stat->st_nlink = node->path ? 1 : 0;
    out_stat->st_mtim.tv_sec = node->modified_s;
    return 0;
}

void sim_nodes_end(void)
{
    while (!list_empty(&sim_world->nodes))
        node_free(LIST_ENTRY(sim_world->nodes.next, struct sim_node, link));
}

int sim_file_open(const char *path, int flags, mode_t mode)
{
    struct sim_node *node = sim_node_find(path);

    if (!node && !(flags & O_CREAT))
        return -ENOENT;
    if (node && (flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (node && node->kind == SIM_NODE_SOCKET && !(flags & O_PATH))
        return -ENXIO;
    if (node && (flags & O_DIRECTORY) && node->kind != SIM_NODE_FOLDER)
        return -ENOTDIR;
    if (node && node->kind == SIM_NODE_FIFO && !(flags & O_NONBLOCK))
        sim_fail("open of the FIFO %s without O_NONBLOCK would block", path);
    if (!node)
        node = node_create(path, SIM_NODE_FILE, mode & 07777);
    if ((flags & O_TRUNC) && node->tag == 0) {
        sim_queue_take(&node->bytes, NULL, node->bytes.len);
        node->size = 0;
    }
    struct sim_file *file = calloc(1, sizeof(*file));

    if (!file)
        abort();
    sim_desc_init(&file->desc, SIM_KIND_FILE, flags & (O_ACCMODE | O_APPEND | O_NONBLOCK));
    file->node = node;
    int fd = sim_fd_open(&file->desc, (flags & O_CLOEXEC) != 0);

    if (fd < 0)
        free(file);
    else
        node->refs++;
    return fd;
}

int sim_file_open_beneath(struct sim_file *folder, const char *path, int flags, bool cached_only)
{
    char whole[512];

    if (folder->node->kind != SIM_NODE_FOLDER || !folder->node->path)
        return -ENOTDIR;
    if (cached_only && sim_fault_strikes(&sim_world->faults, SIM_FILE_COLD))
        return -EAGAIN;
    if (strcmp(path, ".") == 0)
        snprintf(whole, sizeof(whole), "%s", folder->node->path);
    else
        snprintf(whole, sizeof(whole), "%s/%s", folder->node->path, path);
    return sim_file_open(whole, flags, 0);
}

void sim_file_close(struct sim_file *file)
{
    node_put(file->node);
    free(file);
}

int64_t sim_file_read_at(struct sim_file *file, void *out, size_t bytes, uint64_t offset)
{
    struct sim_faults *faults = &sim_world->faults;
    struct sim_node *node = file->node;

    if (node->kind == SIM_NODE_FOLDER)
        return -EISDIR;
    if (sim_fault_strikes(faults, SIM_FILE_EIO))
        return -EIO;
    if (node->tag != 0 && offset < node->size && sim_fault_strikes(faults, SIM_FILE_CUT))
        node->size = sim_random_between(faults->random, 0, node->size - 1);
    if (offset >= node->size)
        return 0;
    if (bytes > node->size - offset)
        bytes = (size_t)(node->size - offset);
    if (bytes > 1 && sim_fault_strikes(faults, SIM_FILE_SHORT))
        bytes = (size_t)sim_random_skewed(faults->random, 1, bytes - 1);
    if (node->tag == 0) {
        memcpy(out, sim_queue_front(&node->bytes) + offset, bytes);
    } else {
        for (size_t index = 0; index < bytes; index++)
            ((char *)out)[index] = sim_file_byte(node->tag, offset + index);
    }
    sim_progress();
    return (int64_t)bytes;
}

int64_t sim_file_read(struct sim_file *file, void *out, size_t bytes)
{
    int64_t count = sim_file_read_at(file, out, bytes, file->offset);

    if (count > 0)
        file->offset += (uint64_t)count;
    return count;
}

int64_t sim_file_write(struct sim_file *file, const void *in, size_t bytes)
{
    struct sim_faults *faults = &sim_world->faults;

    if ((file->desc.status_flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (sim_fault_strikes(faults, SIM_FILE_FULL))
        return -ENOSPC;
    sim_queue_put(&file->node->bytes, in, bytes);
    file->node->size = file->node->bytes.len;
    sim_progress();
    return (int64_t)bytes;
}

int64_t sim_file_send(struct sim_sock *sock, struct sim_file *file, int64_t *offset, size_t bytes)
{
    uint64_t from = offset ? (uint64_t)*offset : file->offset;

    if (bytes > FILE_TURN_BYTES_MAX)
        bytes = FILE_TURN_BYTES_MAX;
    /* A full socket is found out before the file is read, as splice does. */
    if (sock->state == SIM_SOCK_CONNECTED && !sock->send_shut && sock->error == 0) {
        size_t room = sim_wire_room(sock);

        if (room == 0) {
            sock->no_space = true;
            return -EAGAIN;
        }
    }
    char *chunk = malloc(bytes + 1);

    if (!chunk)
        abort();
    int64_t count = sim_file_read_at(file, chunk, bytes, from);

    if (count > 0)
        count = sim_sock_send(sock, chunk, (size_t)count, 0);
    free(chunk);
    if (count > 0 && offset)
        *offset += count;
    else if (count > 0)
        file->offset += (uint64_t)count;
    return count;
}

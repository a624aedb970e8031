/*
 * Answers are read from the front of what the peer received; each byte of content is compared with
 * what its tag and offset say it must be.
 */
#include "sim_answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_BYTES_MAX = 8192 };

static struct sim_request *current(struct sim_client *client)
{
    return &client->requests[client->answered];
}

/* The value of a field in a head, or NULL.  `head` ends in NUL. */
static const char *field_find(const char *head, const char *name, char *value, size_t room)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) != 0 || line[2 + len] != ':')
            continue;
        const char *from = line + 2 + len + 1;

        from += strspn(from, " ");
        size_t count = strcspn(from, "\r");

        if (count >= room)
            sim_fail("the field %s is too long", name);
        memcpy(value, from, count);
        value[count] = '\0';
        return value;
    }
    return NULL;
}

/* A file that was cut is what there is of it. */
static bool length_is_right(const struct sim_request *request, uint64_t bytes)
{
    return bytes == request->length ||
           (request->route == SIM_ROUTE_FOLDER && bytes < request->length &&
            sim_world->faults.injected[SIM_FILE_CUT] > 0);
}

static void answer_whole(struct sim_client *client)
{
    struct sim_request *request = current(client);

    bool no_reset = client->reading == SIM_READ_UNTIL_CLOSE && client->peer.sock->family == AF_UNIX;

    if ((request->status == 200 || request->status == 101) && !request->head && !client->garbles &&
        !no_reset && !length_is_right(request, client->offset))
        sim_fail("request %u: %llu bytes look complete, but %llu were due", request->tag,
                 (unsigned long long)client->offset, (unsigned long long)request->length);
    request->whole = true;
    sim_trace("answered", request->tag, request->status);
    client->answered++;
    client->reading = SIM_READ_HEAD;
    /* A final answer may come before the content that the client holds back. */
    if (client->answered == client->asked)
        client->holds_content = false;
    sim_client_next(client);
}

/* What the site and its host have written must be of one site. */
static void check_site(const struct sim_request *request, const char *head)
{
    char site[32], filter[32];
    bool has_site = field_find(head, "X-Site", site, sizeof(site)) != NULL;
    bool has_filter = field_find(head, "X-Filter", filter, sizeof(filter)) != NULL;

    if (has_site && has_filter && strcmp(site, filter) != 0)
        sim_fail("request %u: an answer of the sites %s and %s", request->tag, site, filter);
    if (request->status == 200 && !(has_site && has_filter))
        sim_fail("request %u: an answer of no site", request->tag);
}

/* A status of 200 must be the handler's own answer; others are pollux's. */
static void check_status(struct sim_client *client, const char *head)
{
    struct sim_request *request = current(client);
    char value[32];

    if (client->garbles)
        return;
    check_site(request, head);
    if (request->status == 200 || (request->status == 101 && request->route == SIM_ROUTE_TUNNEL)) {
        if (!field_find(head, "X-Tag", value, sizeof(value)) ||
            strtoul(value, NULL, 10) != request->tag)
            sim_fail("request %u got the answer of %s", request->tag, value);
    } else if (request->status == 404 && request->route == SIM_ROUTE_LOST) {
        sim_sometimes("a request found no route");
    } else if (!sim_client_may_be_refused(request->status)) {
        sim_fail("request %u got the status %u", request->tag, request->status);
    } else {
        sim_sometimes("a request was refused");
    }
}

static void framing_read(struct sim_client *client, const char *head)
{
    struct sim_request *request = current(client);
    char value[64];

    client->offset = 0;
    if (request->status == 101) {
        client->reading = SIM_READ_UNTIL_CLOSE;
        sim_client_tunnels(client);
        return;
    }
    if (field_find(head, "Connection", value, sizeof(value)) && strcasecmp(value, "close") == 0)
        client->server_closes = true;
    if (request->head || request->status == 204 || request->status == 304) {
        /* A refusal of what was never read has content: the server could not know of HEAD. */
        client->deaf = request->status >= 400 && (client->server_closes || client->garbles);
        answer_whole(client);
    } else if (field_find(head, "Transfer-Encoding", value, sizeof(value))) {
        if (request->old || strcasecmp(value, "chunked") != 0)
            sim_fail("request %u: transfer coding %s", request->tag, value);
        client->reading = SIM_READ_CHUNK_SIZE;
    } else if (field_find(head, "Content-Length", value, sizeof(value))) {
        client->left = strtoull(value, NULL, 10);
        client->reading = SIM_READ_LENGTH;
        if (request->status == 200 && !client->garbles && !length_is_right(request, client->left))
            sim_fail("request %u: a length of %s, but %llu is due", request->tag, value,
                     (unsigned long long)request->length);
    } else {
        client->reading = SIM_READ_UNTIL_CLOSE;
    }
}

/* True when a head was there. */
static bool head_read(struct sim_client *client)
{
    struct sim_queue *received = &client->peer.received;
    char head[HEAD_BYTES_MAX + 1];
    size_t count = received->len < HEAD_BYTES_MAX ? received->len : HEAD_BYTES_MAX;

    if (count == 0)
        return false;
    memcpy(head, sim_queue_front(received), count);
    head[count] = '\0';
    const char *end = strstr(head, "\r\n\r\n");

    if (!end) {
        if (count == HEAD_BYTES_MAX || (count >= 5 && strncmp(head, "HTTP/", 5) != 0))
            sim_fail("client %u received what is no head", client->number);
        return false;
    }
    if (client->answered >= client->asked && client->garbles) {
        client->deaf = true;
        return false;
    }
    if (client->answered >= client->asked)
        sim_fail("client %u received an answer to nothing", client->number);
    size_t bytes = (size_t)(end - head) + 4;

    head[bytes - 2] = '\0';
    if (strncmp(head, "HTTP/1.1 ", 9) != 0 || head[12] != ' ')
        sim_fail("client %u received a malformed status line", client->number);
    unsigned status = (unsigned)strtoul(head + 9, NULL, 10);

    sim_queue_take(received, NULL, bytes);
    if (status == 100) {
        sim_sometimes("a client was told to go on");
        sim_client_continue(client);
        return true;
    }
    current(client)->began = true;
    current(client)->status = status;
    check_status(client, head);
    framing_read(client, head);
    return true;
}

/* Takes content: all there is, up to `left`.  True when there was some, or none is missing. */
static bool content_read(struct sim_client *client)
{
    struct sim_queue *received = &client->peer.received;
    const struct sim_request *request = current(client);
    size_t count = received->len < client->left ? received->len : (size_t)client->left;
    const char *bytes = sim_queue_front(received);

    if ((request->status == 200 || request->status == 101) && !client->garbles)
        for (size_t index = 0; index < count; index++)
            if (bytes[index] != sim_answer_byte(request, client->offset + index))
                sim_fail("request %u: byte %llu of the answer is wrong", request->tag,
                         (unsigned long long)(client->offset + index));
    sim_queue_take(received, NULL, count);
    client->offset += count;
    client->left -= count;
    return count > 0 || client->left == 0;
}

/* A line without its CRLF, or false. */
static bool line_read(struct sim_client *client, char *line, size_t room)
{
    struct sim_queue *received = &client->peer.received;
    const char *front = sim_queue_front(received);
    const char *end = received->len > 0 ? memchr(front, '\n', received->len) : NULL;

    if (!end)
        return false;
    size_t count = (size_t)(end - front);

    if (count == 0 || front[count - 1] != '\r' || count > room)
        sim_fail("client %u received a malformed line in chunked content", client->number);
    memcpy(line, front, count - 1);
    line[count - 1] = '\0';
    sim_queue_take(received, NULL, count + 1);
    return true;
}

static bool chunk_size_read(struct sim_client *client)
{
    char line[128];
    char *end;

    if (!line_read(client, line, sizeof(line)))
        return false;
    client->left = strtoull(line, &end, 16);
    if (end == line || *end != '\0')
        sim_fail("client %u received the chunk size '%s'", client->number, line);
    client->reading = client->left > 0 ? SIM_READ_CHUNK : SIM_READ_TRAILER;
    return true;
}

static bool answer_step(struct sim_client *client)
{
    char line[256];

    switch (client->reading) {
    case SIM_READ_HEAD:
        return head_read(client);
    case SIM_READ_LENGTH:
        if (!content_read(client))
            return false;
        if (client->left == 0)
            answer_whole(client);
        return true;
    case SIM_READ_CHUNK_SIZE:
        return chunk_size_read(client);
    case SIM_READ_CHUNK:
        if (!content_read(client))
            return false;
        if (client->left == 0)
            client->reading = SIM_READ_CHUNK_END;
        return true;
    case SIM_READ_CHUNK_END:
        if (!line_read(client, line, sizeof(line)))
            return false;
        if (line[0] != '\0')
            sim_fail("client %u: a chunk does not end where it should", client->number);
        client->reading = SIM_READ_CHUNK_SIZE;
        return true;
    case SIM_READ_TRAILER:
        if (!line_read(client, line, sizeof(line)))
            return false;
        if (line[0] == '\0')
            answer_whole(client);
        return true;
    case SIM_READ_UNTIL_CLOSE:
        client->left = UINT64_MAX;
        return content_read(client);
    }
    return false;
}

void sim_answer_read(struct sim_client *client)
{
    while (client->peer.sock && !client->deaf && answer_step(client))
        continue;
}

void sim_answer_end(struct sim_client *client, int error)
{
    if (client->answered >= client->count || client->deaf)
        return;
    struct sim_request *request = current(client);

    if (client->reading != SIM_READ_HEAD)
        sim_sometimes("an answer was cut short, and visibly");
    if (client->reading == SIM_READ_UNTIL_CLOSE && error == 0 && !client->peer.has_reset) {
        /* A unix socket knows no reset: there a close is all a server can do. */
        if (request->route == SIM_ROUTE_ABORT && request->status == 200 &&
            client->peer.sock->family != AF_UNIX)
            sim_fail("request %u was aborted, and ended like a whole answer", request->tag);
        sim_sometimes("an answer ended with its connection");
        answer_whole(client);
    }
}

/* The GraphDef writer: the same bytes always, every node reads nodes before it, the outputs are
 * what nobody reads, too large is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "net/graphdef.h"
#include "tiny.h"

/* Of files written with seed 1.  When one of these changes, results made before are of another
 * model: change NET_REVISION with it. */
#define TINY_SHA256     "d06a32be3a1807f38984b50110a137da3f81616b7a139ecec4063339aae99682"
#define RESNET50_SHA256 "3a064c181bc14570d43a80b058f3d1b9ca1faa6bb43666631bb63e9d977fbe68"

#define NODES_MAX 64

static char path[64];

static int make_path(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/assay-graphdef-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

static int write_tiny_to(const char *where, struct assay_err *err)
{
    struct net_weights *w;
    struct net *net;
    int rc;

    assert_int_equal(net_create_from("tiny", "test", tiny_build, &net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(net, 1, &w, NULL), ASSAY_OK);
    rc = graphdef_write(net, w, 1, where, err);
    net_weights_destroy(w);
    net_destroy(net);
    return rc;
}

static void same_bytes(void **state)
{
    char hex[HASH_HEX];

    (void)state;
    assert_int_equal(write_tiny_to(path, NULL), ASSAY_OK);
    assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
    assert_string_equal(hex, TINY_SHA256);
    assert_int_equal(net_write("resnet50", "tensorflow", "fp32", 1, path, NULL), ASSAY_OK);
    assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
    assert_string_equal(hex, RESNET50_SHA256);
}

/* ---- a walk over the nodes ---- */

struct view {
    const unsigned char *p, *end;
};

static uint64_t varint(struct view *v)
{
    uint64_t value = 0;
    int shift = 0;

    do {
        assert_true(v->p < v->end && shift < 64);
        value |= (uint64_t)(*v->p & 0x7f) << shift;
        shift += 7;
    } while (*v->p++ & 0x80);
    return value;
}

/* The next field, which has to be length-delimited. */
static uint64_t field(struct view *v, struct view *inside)
{
    uint64_t tag = varint(v), n = varint(v);

    assert_int_equal(tag & 7, 2);
    assert_true(n <= (uint64_t)(v->end - v->p));
    *inside = (struct view){v->p, v->p + n};
    v->p += n;
    return tag >> 3;
}

static void copy(char out[96], const struct view *v)
{
    snprintf(out, 96, "%.*s", (int)(v->end - v->p), (const char *)v->p);
}

struct node {
    char name[96], op[96];
    int readers;
};

static void read_node(struct view v, struct node *nodes, int at)
{
    struct node *n = &nodes[at];
    struct view part;
    char name[96];
    int i;

    memset(n, 0, sizeof(*n));
    while (v.p < v.end) {
        switch (field(&v, &part)) {
        case 1:
            copy(n->name, &part);
            break;
        case 2:
            copy(n->op, &part);
            break;
        case 3:
            copy(name, &part);
            for (i = 0; i < at && strcmp(nodes[i].name, name); i++)
                ;
            if (i == at)
                fail_msg("%s reads %s, which does not come before it", n->name, name);
            nodes[i].readers++;
            break;
        default:
            break;
        }
    }
    for (i = 0; i < at; i++)
        assert_string_not_equal(nodes[i].name, n->name);
}

static void nodes_in_order(void **state)
{
    struct node nodes[NODES_MAX];
    struct view v, part;
    int n = 0, i, ends = 0;
    size_t len;
    char *data;

    (void)state;
    assert_int_equal(write_tiny_to(path, NULL), ASSAY_OK);
    assert_int_equal(file_read(path, 1 << 20, &data, &len, NULL), ASSAY_OK);
    v = (struct view){(unsigned char *)data, (unsigned char *)data + len};
    while (v.p < v.end)
        if (field(&v, &part) == 1) {
            assert_true(n < NODES_MAX);
            read_node(part, nodes, n++);
        }
    free(data);
    assert_string_equal(nodes[0].op, "Placeholder");
    assert_string_equal(nodes[0].name, "pixels");
    for (i = 0; i < n; i++)
        ends += nodes[i].readers == 0;
    assert_int_equal(ends, 2);
    assert_string_equal(nodes[n - 2].name, "class");
    assert_string_equal(nodes[n - 1].name, "scores");
    assert_int_equal(nodes[n - 2].readers + nodes[n - 1].readers, 0);
}

/* A classifier of 2^30 weights: 4 GB that must never be written. */
static void huge_build(struct net *net)
{
    int x = net_add_plain(net, NET_GAP, "mean", net_add_input(net, "in", 1 << 15, 1, 1));

    net_add_output(net, "out", net_add_fc(net, "fc", x, 1 << 15));
}

static void too_large(void **state)
{
    struct net_weights none = {0};
    struct assay_err err;
    struct net *net;

    (void)state;
    assert_int_equal(net_create_from("huge", "test", huge_build, &net, NULL), ASSAY_OK);
    none.data = calloc((size_t)net->tensor_count, sizeof(*none.data));
    assert_int_equal(graphdef_write(net, &none, 1, path, &err), ASSAY_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "2 GB"));
    free(none.data);
    net_destroy(net);
}

static void no_folder(void **state)
{
    struct assay_err err;

    (void)state;
    assert_int_equal(write_tiny_to("/nonexistent/x.pb", &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "/nonexistent/x.pb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes),
                                       cmocka_unit_test(nodes_in_order),
                                       cmocka_unit_test(too_large), cmocka_unit_test(no_folder)};

    return cmocka_run_group_tests(tests, make_path, drop_path);
}

/* Checkpoints that we write are read back: the same tensors to the bit, the mark of what is made
 * up; of several nets in one file each has its own. */
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
#include "net/bind.h"
#include "net/checkpoint.h"
#include "net/nets.h"
#include "tiny.h"

#define PARTS 3

static char path[64];

static int make_path(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/assay-checkpoint-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

static struct checkpoint_part make(void (*build)(struct net *), struct net **net,
                                   struct net_weights **w)
{
    assert_int_equal(net_create_from("tiny", "test", build, net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(*net, 1, w, NULL), ASSAY_OK);
    return (struct checkpoint_part){*net, *w};
}

/* The file's weights for that net are those that were written. */
static void same(const struct net *net, const struct net_weights *w, bool synthetic)
{
    struct net_weights *back;
    struct state *s;
    size_t fit;

    assert_int_equal(state_open(path, &s, NULL), ASSAY_OK);
    assert_string_equal(s->format, "PyTorch (zip)");
    assert_int_equal(net_weights_allocate(net, &back, NULL), ASSAY_OK);
    assert_int_equal(bind_weights(net, s, back, &fit, NULL), ASSAY_OK);
    assert_int_equal(back->synthetic, synthetic);
    for (int t = 0; t < net->tensor_count; t++) {
        float *want = net_weights_copy(net, w, t, NULL);

        assert_memory_equal(back->data[t], want, net->tensors[t].count * sizeof(float));
        free(want);
    }
    net_weights_destroy(back);
    state_close(s);
}

static void read_back(void **state)
{
    struct net_weights *w;
    struct net *net;
    size_t len;
    char *file;

    (void)state;
    make(tiny_build, &net, &w);
    assert_int_equal(checkpoint_write(net, w, 1, path, NULL), ASSAY_OK);
    same(net, w, true);
    assert_int_equal(file_read(path, 1 << 24, &file, &len, NULL), ASSAY_OK);
    assert_non_null(memmem(file, len, "synthetic true\nnet tiny\nseed 1\n", 31));
    free(file);
    w->synthetic = false;
    assert_int_equal(checkpoint_write(net, w, 1, path, NULL), ASSAY_OK);
    same(net, w, false);
    net_weights_destroy(w);
    net_destroy(net);
}

/* As the reference's file: the joint network under the name that it has there, and the tables. */
static void of_several_nets(void **state)
{
    static void (*const builds[PARTS])(struct net *) = {
        net_build_rnnt_encoder_small, net_build_rnnt_prediction_small, net_build_rnnt_joint_small};
    struct checkpoint_part parts[PARTS];
    struct net_weights *w[PARTS];
    struct net *nets[PARTS];
    struct state *s;

    (void)state;
    for (int i = 0; i < PARTS; i++)
        parts[i] = make(builds[i], &nets[i], &w[i]);
    assert_int_equal(checkpoint_write_parts(parts, PARTS, 1, path, NULL), ASSAY_OK);
    for (int i = 0; i < PARTS; i++)
        same(nets[i], w[i], true);
    assert_int_equal(state_open(path, &s, NULL), ASSAY_OK);
    assert_non_null(state_find(s, "joint_net.0.weight"));
    assert_null(state_find(s, "joint.net.0.weight"));
    assert_non_null(state_find(s, "audio_preprocessor.featurizer.fb"));
    assert_non_null(state_find(s, "audio_preprocessor.featurizer.window"));
    state_close(s);
    for (int i = 0; i < PARTS; i++) {
        net_weights_destroy(w[i]);
        net_destroy(nets[i]);
    }
}

static void no_place(void **state)
{
    struct net_weights *w;
    struct net *net;
    struct assay_err err;

    (void)state;
    make(tiny_build, &net, &w);
    assert_int_not_equal(checkpoint_write(net, w, 1, "/no/such/folder/x.pt", &err), ASSAY_OK);
    assert_non_null(strstr(err.text, "/no/such/folder/x.pt"));
    net_weights_destroy(w);
    net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_back), cmocka_unit_test(of_several_nets), cmocka_unit_test(no_place)};

    return cmocka_run_group_tests(tests, make_path, drop_path);
}

/* Synthetic weights: the generator's moments, our convolution against a plain one, calibration's
 * promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>

#include "net/calibrate.h"
#include "tiny.h"

static void generator(void **state)
{
    uint64_t s = 0;
    double x, sum = 0, square = 0;
    int i;

    (void)state;
    /* The published first outputs of splitmix64 from state 0. */
    assert_true(net_random(&s) == 0xe220a8397b1dcdafu);
    assert_true(net_random(&s) == 0x6e789e6aa1b965f4u);
    for (i = 0; i < 100000; i++) {
        x = (double)net_normal(&s);
        sum += x;
        square += x * x;
        assert_true(fabs(x) < 3.47);
    }
    assert_true(fabs(sum / i) < 0.015); /* 5 deviations of the mean are 0.0158 */
    assert_true(fabs(square / i - 1.0) < 0.02);
}

/* Seven nested loops, nothing clever; sums in the same order, so the result is the same bits. */
static void plain_conv(const struct net_layer *l, const float *w, const float *in,
                       struct net_shape s, int n, float *out, struct net_shape o)
{
    int oc, im, y, x, c, ky, kx, iy, ix;
    float sum;

    for (oc = 0; oc < o.c; oc++)
        for (im = 0; im < n; im++)
            for (y = 0; y < o.h; y++)
                for (x = 0; x < o.w; x++) {
                    for (sum = 0, c = 0; c < s.c; c++)
                        for (ky = 0; ky < l->kernel; ky++)
                            for (kx = 0; kx < l->kernel; kx++) {
                                iy = y * l->stride + ky - l->pad[0];
                                ix = x * l->stride + kx - l->pad[1];
                                if (iy >= 0 && iy < s.h && ix >= 0 && ix < s.w)
                                    sum += w[((oc * s.c + c) * l->kernel + ky) * l->kernel + kx] *
                                           in[((c * n + im) * s.h + iy) * s.w + ix];
                            }
                    out[((oc * n + im) * o.h + y) * o.w + x] = sum;
                }
}

static void convolution(void **state)
{
    /* Odd sizes on purpose: channels no multiple of 4, columns no multiple of 8. */
    static const int cases[][5] = {
        {3, 7, 5, 1, 1}, {5, 6, 9, 3, 2}, {2, 9, 3, 7, 2}, {4, 5, 8, 3, 1}};
    float in[9 * 9 * 5 * 3], w[9 * 5 * 49], a[9 * 3 * 81], b[9 * 3 * 81];
    uint64_t s = 5;
    size_t i, k;

    (void)state;
    for (k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        int p = (cases[k][3] - 1) / 2;
        struct net_layer l = {.op = NET_CONV,
                              .kernel = cases[k][3],
                              .stride = cases[k][4],
                              .out = cases[k][2],
                              .pad = {p, p, p, p}};
        struct net_shape is = net_image(cases[k][0], cases[k][1], cases[k][1]),
                         os = net_shape_of(&l, (const struct net_shape *[]){&is});

        for (i = 0; i < sizeof(in) / sizeof(in[0]); i++)
            in[i] = net_normal(&s);
        for (i = 0; i < sizeof(w) / sizeof(w[0]); i++)
            w[i] = net_normal(&s);
        assert_int_equal(net_conv(&l, w, in, is, 3, a, os), ASSAY_OK);
        plain_conv(&l, w, in, is, 3, b, os);
        assert_memory_equal(a, b, (size_t)(os.c * 3 * os.h * os.w) * sizeof(float));
    }
}

static void calibrated(void **state)
{
    struct net_weights *w, *again, *other;
    struct net *net;
    bool differs = false;
    int i;
    size_t j;

    (void)state;
    assert_int_equal(net_create_from("tiny", "test", tiny_build, &net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(net, 1, &w, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(net, 1, &again, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(net, 2, &other, NULL), ASSAY_OK);
    for (i = 0; i < net->tensor_count; i++) {
        for (j = 0; j < net->tensors[i].count; j++) {
            assert_true(isfinite(w->data[i][j]));
            if (net->tensors[i].role == NET_VAR)
                assert_true(w->data[i][j] > 0.0f && w->data[i][j] != 1.0f);
        }
        assert_memory_equal(w->data[i], again->data[i], net->tensors[i].count * sizeof(float));
        differs |= memcmp(w->data[i], other->data[i], net->tensors[i].count * sizeof(float)) != 0;
    }
    assert_true(differs);
    net_weights_destroy(w);
    net_weights_destroy(again);
    net_weights_destroy(other);
    net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(generator), cmocka_unit_test(convolution),
                                       cmocka_unit_test(calibrated)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

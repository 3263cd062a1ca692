/* The small variants of the nets in every format: the same bytes always. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/hash.h"
#include "net/graphdef.h"
#include "net/nets.h"
#include "net/onnx.h"
#include "net/torchscript.h"

typedef int write_fn(const struct net *net, const struct net_weights *w, uint64_t seed,
                     const char *path, struct assay_err *err);

static write_fn *const writers[] = {onnx_write, graphdef_write, torchscript_write};

/* SHA-256 of what is written with seed 1, in the writers' order.  When one of these changes,
 * results made before are of another model: change NET_REVISION with it. */
static const struct {
    const char *name;
    void (*build)(struct net *);
    const char *sha256[3];
} nets[] = {
    {"rnnt-encoder",
     net_build_rnnt_encoder_small,
     {"125c25e8eeb07924ac3c511e7ada56ffef3192f7e5be8013a75005519755987a",
      "e1b2bdd23fc3efff246132ad73d55fb4983374cb442fb2bc23fe2120b772c750",
      "77cfe5c58823781e8233cd0b7b0ca8231c0fae18d8ba0632460e850f035509ae"}},
    {"rnnt-prediction",
     net_build_rnnt_prediction_small,
     {"aa7db2c1bb487796ff6d85f83dcb5f23c1dcfb1880da35f54f2fce8d7344e8cc",
      "0d0dcb309b0557f36c8eec4d9aea609109458984e9ba95a8c9f3316598cbff03",
      "f91e1d1dc9de13eb2463622598ec39f413496d271aa1d1ab9cc8c34cd10981c2"}},
    {"rnnt-joint",
     net_build_rnnt_joint_small,
     {"66c82ad146ff28ba485c82537553c3deb2f793899680321eaed4984a73d7e09c",
      "209a5e12d58371ea100d4be0a449db80ccf7991e2378044ca710b59115e0faf3",
      "35224a81a6630898c8bb836b5af193e1c84dec3592b50c6111d0ddd269b44389"}},
    {"dlrm",
     net_build_dlrm_small,
     {"4020804294f2708b0d157feca17fc37639e9ed8d01e69129e62e615f983a9a9f",
      "63f6fe9477889aca7d78fd8cd607a7d9ef3d38f127022cfbd7c19b79f9d7ab9c",
      "85e6aaa891b779539ff4332637f202aee1bc4c80515fae04b9bc8fb83ca739fd"}},
    {"dlrm-v2",
     net_build_dlrm_v2_small,
     {"d4bd5350e4ab030a5592451df72930660229fbf42dd5d7a6ae9f83eeb5295a9d",
      "1fe62d4f8de0b4cde81cc90fc3b47d38d9f98d29a58805ca40665800a8094613",
      "522bb45381da5ff91e673d51373dca8f0a9912efa8105ef9f608661e5845f25c"}},
    {"3d-unet",
     net_build_unet3d_small,
     {"e78fea881e31b2454a4b0b5aa26bc5fd4b19e31495e90888d650ecb8ab8667a7",
      "8ea5ef6e533055f9d19ac80ba215daf9268b5b4e9ec07883e31ef88fc435e463",
      "f295bd822f09603276bb79c65fcb8ea6ae16e9f47523137c1ce74d85a7489eae"}},
    {"retinanet",
     net_build_retinanet_small,
     {"3d570d0f74eaf2d8682a218178d8e9bd6dedd2ec03955ef982361fcf9e6c2d28",
      "f7535244f734e312fbdc80479dd5a86c53da979f42403605453496e07c5125bd",
      "c14a77974a2ad64373a3674b3ce70fbf916b24c20fdacfaf80538341780f1cb0"}},
    {"bert",
     net_build_bert_small,
     {"e7e05c89e05ac54c30f0f8f044f88d1079816cac7110602c69339c2e57d52f11",
      "2b827ce8f7737bd83b3b0cd8078ce959a6766a35287767b861f9919b8fbd6861",
      "adf5ccb3c6ca7f177c87e614cfbdecc1a0b92cffe889b196fd8bc6888226dff8"}},
};

static void same_bytes(void **state)
{
    char path[] = P_tmpdir "/assay-small-XXXXXX", hex[HASH_HEX];
    int fd = mkstemp(path), wrong = 0;
    struct net_weights *w;
    struct assay_err err = {0};
    struct net *net;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        assert_int_equal(net_create_from(nets[i].name, "test", nets[i].build, &net, &err), 0);
        assert_int_equal(net_weights_create(net, 1, &w, &err), 0);
        for (int f = 0; f < 3; f++) {
            if (writers[f](net, w, 1, path, &err))
                fail_msg("%s", err.text);
            assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
            if (strcmp(hex, nets[i].sha256[f]))
                wrong++, print_message("%s, format %d: %s\n", nets[i].name, f, hex);
        }
        net_weights_destroy(w);
        net_destroy(net);
    }
    unlink(path);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The reader of pickles: what state dicts are made of comes out, and nothing else gets in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "net/unpickle.h"

#define LENGTH(s) (sizeof(s) - 1)

/* ("storage", torch.FloatStorage, "0", "cpu", 6), not yet called for */
#define STORAGE_ID                                                                                 \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                             \
    "0X\3\0\0\0cpuK\6t"
/* _rebuild_tensor_v2(storage, 1, (2, 2), (2, 1), False, OrderedDict()) */
#define TENSOR                                                                                     \
    "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE_ID "QK\1K\2K\2\x86K\2K\1\x86\x89"               \
    "ccollections\nOrderedDict\n)RtR"

/* In a block of its own size, so that a sanitizer sees a read behind its end. */
static int read_bytes(const char *bytes, size_t n, struct pickle *p, struct assay_err *err,
                      char **copy)
{
    *copy = malloc(n ? n : 1);
    assert_non_null(*copy);
    memcpy(*copy, bytes, n);
    return pickle_read(*copy, n, "x.pth", p, err);
}

static void check_tensor(const struct pickle *p, uint32_t v)
{
    const struct pickle_tensor *t;

    assert_int_not_equal(v, PICKLE_NOTHING);
    assert_int_equal(p->values[v].kind, PICKLE_TENSOR);
    t = &p->tensors[p->values[v].integer];
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->offset, 1);
    assert_int_equal(t->dims[1], 2);
    assert_int_equal(t->strides[0], 2);
    assert_int_equal(p->storages[t->storage].count, 6);
    assert_int_equal(p->storages[t->storage].dtype, ASSAY_F32);
    assert_memory_equal(p->data + p->storages[t->storage].key, "0", 1);
}

/* Each of these is {"w": TENSOR}, as one version of Python or PyTorch or another writes it. */
static void dicts(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
#define CASE(s) {s, LENGTH(s)}
        CASE("\x80\2}q\0X\1\0\0\0wq\1" TENSOR "s."),
        CASE("\x80\2ccollections\nOrderedDict\nq\0)Rq\1(X\1\0\0\0w" TENSOR "u}(X\t\0\0\0_metadata"
             "h\1ub."),
        /* Python 2: OrderedDict([["w", …]]) with texts of bytes */
        CASE("\x80\2ccollections\nOrderedDict\n](](U\1w" TENSOR "ee\x85R."),
        /* protocol 4 */
        CASE("\x80\4\x95\0\0\0\0\0\0\0\0}\x94\x8c\1w" TENSOR "\x94s."),
        /* a parameter of its own, and one of PyTorch 0.1 around a tensor of then */
        CASE("\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_parameter\n(" TENSOR "\x88"
             "ccollections\nOrderedDict\n)RtRs."),
        CASE("\x80\2}X\1\0\0\0wctorch.nn.parameter\nParameter\n)\x81("
             "ctorch\nFloatTensor\n)R(" STORAGE_ID "QK\1K\2K\2\x86K\2K\1\x86tb"
             "N\x88\x89}tbs."),
        CASE("\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_tensor\n(" STORAGE_ID
             "QK\1ctorch\nSize\n(K\2K\2t\x85RK\2K\1\x86tRs."),
        /* a checkpoint's arguments, and an accuracy of numpy, beside: nothing of them is made */
        CASE("\x80\2}(X\4\0\0\0argscargparse\nNamespace\n)\x81}X\2\0\0\0lrG\0\0\0\0\0\0\0\0sb"
             "X\1\0\0\0w" TENSOR "X\3\0\0\0acccnumpy.core.multiarray\nscalar\n"
             "(cnumpy\ndtype\n(X\2\0\0\0f8K\0K\1tR(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xff"
             "J\xff\xff\xff\xffK\0tbc_codecs\nencode\n(X\2\0\0\0\0?X\6\0\0\0latin1tRtRu."),
        /* the last one counts */
        CASE("\x80\2}(X\1\0\0\0wNX\1\0\0\0w" TENSOR "u."),
    };
    struct assay_err err = {0};
    struct pickle p;
    char *copy;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (read_bytes(cases[i].bytes, cases[i].n, &p, &err, &copy))
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(p.values[p.root].kind, PICKLE_DICT);
        check_tensor(&p, pickle_get(&p, p.root, "w"));
        assert_int_equal(pickle_get(&p, p.root, "v"), PICKLE_NOTHING);
        assert_int_equal(p.bytes, cases[i].n);
        pickle_release(&p);
        free(copy);
    }
}

static void numbers(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int64_t is;
    } cases[] = {{"K\xff.", 3, 255},
                 {"M\0\x80.", 4, 32768},
                 {"J\xff\xff\xff\xff.", 6, -1},
                 {"J\0\0\0\x80.", 6, INT32_MIN},
                 {"\x8a\0.", 3, 0},
                 {"\x8a\1\x80.", 4, -128},
                 {"\x8a\2\0\x80.", 5, -32768},
                 {"\x8a\x08\0\0\0\0\0\0\0\x80.", 11, INT64_MIN},
                 {"\x88.", 2, 1},
                 {"\x89.", 2, 0}};
    struct pickle p;
    char *copy;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_bytes(cases[i].bytes, cases[i].n, &p, NULL, &copy), ASSAY_OK);
        assert_int_equal(p.values[p.root].integer, cases[i].is);
        pickle_release(&p);
        free(copy);
    }
}

/* A part of a storage: 2 elements behind the first 3. */
static void part(void **state)
{
    static const char bytes[] =
        "(X\7\0\0\0storagectorch\nHalfStorage\nU\1kU\3cpuK\6(U\1vK\3K\2ttQ.";
    struct pickle p;
    char *copy;

    (void)state;
    assert_int_equal(read_bytes(bytes, LENGTH(bytes), &p, NULL, &copy), ASSAY_OK);
    assert_int_equal(p.storages[0].skip, 3);
    assert_int_equal(p.storages[0].part, 2);
    assert_int_equal(p.storages[0].dtype, ASSAY_F16);
    pickle_release(&p);
    free(copy);
}

static void refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } cases[] = {
#define BAD(s, says) {s, LENGTH(s), says}
        BAD("cos\nsystem\n(X\2\0\0\0lstR.", "asks for os.system, which no state dict needs"),
        BAD("cposix\nsystem\n.", "posix.system"),
        BAD("c__builtin__\neval\n.", "__builtin__.eval"),
        BAD("\x8c\x08"
            "builtins\x8c\4exec\x93.",
            "builtins.exec"),
        BAD("cbuiltins\ngetattr\n.", "nothing of it was executed"),
        BAD("ctorch\nload\n.", "torch.load"),
        BAD("ctorchvision.models.resnet\nResNet\n)\x81.", "save model.state_dict() alone"),
        BAD("ca\x1b[31m\nb\n.", "a?[31m.b"),
        BAD("ctorch\nFloatStorage\x00\n.", "torch.FloatStorage"),
        BAD("ctorch\nFloatStorage\n)R.", "calls a storage"),
        BAD("X\1\0\0\0f)R.", "cannot be called"),
        BAD("ccollections\nOrderedDict\nNR.", "cannot be called"),
        BAD("ccollections\nOrderedDict\nK\1\x85R.", "else than pairs"),
        BAD("ccollections\nOrderedDict\n(]K\1aK\1tR.", "else than pairs"),
        BAD("ios\nsystem\n.", "the instruction 0x69"), /* INST */
        BAD("(X\1\0\0\0fo.", "the instruction 0x6f"),  /* OBJ */
        BAD("\x82\1.", "the instruction 0x82"),        /* EXT1 */
        BAD("P0\n.", "the instruction 0x50"),          /* PERSID */
        BAD(")}\x92.", "the instruction 0x92"),        /* NEWOBJ_EX */
        BAD("B\1\0\0\0x.", "the instruction 0x42"),    /* BINBYTES */
        BAD("\x80\6.", "unknown protocol"),
        BAD("h\0.", "never remembered"),
        BAD("Nr\xff\xff\xff\xff.", "more than a million"),
        BAD("Nq\5h\4.", "never remembered"),
        BAD("q\0.", "stack is empty"),
        BAD("(q\0.", "stack is empty"),
        BAD(".", "stack is empty"),
        BAD("(.", "stack is empty"),
        BAD("NN.", "leaves something"),
        BAD("N(.", "stack is empty"),
        BAD("Nt.", "no mark"),
        BAD("N\x86.", "stack is empty"),
        BAD("(N\x86.", "stack is empty"),
        BAD("}Ns.", "no dict"),
        BAD("NNNs.", "no dict"),
        BAD("}(Nu.", "lacks a value"),
        BAD("(NNu.", "no dict"),
        BAD("}(Ne.", "no list"),
        BAD("(Ne.", "no list"),
        BAD("NNb.", "sets the insides"),
        BAD("cargparse\nNamespace\n)\x81K\1K\2s.", "no dict"),
        BAD("cargparse\nNamespace\n)\x81)R.", "cannot be called"),
        BAD("cargparse\nArgumentParser\n.", "argparse.ArgumentParser"),
        BAD("NQ.", "something else than a storage"),
        BAD("(X\7\0\0\0storagectorch\nFloatStorage\nU\1kU\3cputQ.", "else than a storage"),
        BAD("(X\7\0\0\0storaqectorch\nFloatStorage\nU\1kU\3cpuK\6tQ.", "else than a storage"),
        BAD("(X\7\0\0\0storageNU\1kU\3cpuK\6tQ.", "else than a storage"),
        BAD("(X\7\0\0\0storageccollections\nOrderedDict\nU\1kU\3cpuK\6tQ.", "no type"),
        BAD("(X\7\0\0\0storagectorch\nFloatStorage\nU\1kU\3cpuJ\xff\xff\xff\xfftQ.", "no size"),
        BAD("(X\7\0\0\0storagectorch\nFloatStorage\nU\1kU\3cpuK\6(NK\5K\2ttQ.", "lies outside it"),
        BAD("(X\7\0\0\0storagectorch\nFloatStorage\nU\1kU\3cpuK\6(NJ\xff\xff\xff\xffK\2ttQ.",
            "lies outside it"),
        BAD("(X\7\0\0\0storagectorch\nFloatStorage\nU\1kU\3cpuK\6K\1tQ.", "has no place"),
        BAD("ctorch._utils\n_rebuild_tensor_v2\n)R.", "no storage"),
        BAD("ctorch._utils\n_rebuild_tensor_v2\n(NK\0))tR.", "no storage"),
        BAD("ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE_ID
            "QK\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t)tR.",
            "more than 8 dimensions"),
        BAD("ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE_ID "QK\0(Nt)tR.", "no number"),
        BAD("ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE_ID "QK\0K\1\x85)tR.",
            "not a stride for each"),
        BAD("X\xff\xff\xff\xffx.", "ends inside a text"),
        BAD("\x8a\x09\1\1\1\1\1\1\1\1\1.", "more than 64 bits"),
        BAD("cos", "ends inside a name"),
        BAD("J\1", "ends inside"),
        BAD("G\1", "ends inside"),
        BAD("\x95\1", "ends inside"),
        BAD("N", "ends before its end mark"),
    };
    struct assay_err err;
    struct pickle p;
    char *copy;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&err, 0, sizeof(err));
        if (!read_bytes(cases[i].bytes, cases[i].n, &p, &err, &copy))
            fail_msg("case %zu was taken: %s", i, cases[i].says);
        if (!strstr(err.text, cases[i].says) || !strstr(err.text, "x.pth: "))
            fail_msg("case %zu: '%s' lacks '%s'", i, err.text, cases[i].says);
        pickle_release(&p);
        free(copy);
    }
}

/* Lists that hold themselves are data like any other. */
static void circle(void **state)
{
    static const char bytes[] = "]q\0h\0ah\0a.";
    struct pickle p;
    char *copy;

    (void)state;
    assert_int_equal(read_bytes(bytes, LENGTH(bytes), &p, NULL, &copy), ASSAY_OK);
    assert_int_equal(p.values[p.root].n, 2);
    assert_int_equal(p.cells[p.values[p.root].first].value, p.root);
    pickle_release(&p);
    free(copy);
}

/* Five bytes that copy a list of 1000, again and again: the copies are counted. */
static void bomb(void **state)
{
    static const char head[] = "]q\0(", turn[] = "ccollections\nOrderedDict\nq\2h\0\x85R";
    size_t at = 0, turns = 5000, n = LENGTH(head) + 1000 * 3 + 1 + turns * LENGTH(turn) + 1;
    char *bytes = malloc(n);
    struct assay_err err = {0};
    struct pickle p;

    (void)state;
    memcpy(bytes, head, LENGTH(head));
    at = LENGTH(head);
    for (int i = 0; i < 1000; i++, at += 3)
        memcpy(bytes + at, "NN\x86", 3);
    bytes[at++] = 'e';
    for (size_t i = 0; i < turns; i++, at += LENGTH(turn))
        memcpy(bytes + at, turn, LENGTH(turn));
    bytes[at] = '.';
    assert_int_equal(pickle_read(bytes, n, "x.pth", &p, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "more than a million parts"));
    pickle_release(&p);
    free(bytes);
}

/* Cut anywhere, it is refused. */
static void cut_off(void **state)
{
    static const char bytes[] = "\x80\2}q\0X\1\0\0\0wq\1" TENSOR "s.";
    struct assay_err err;
    struct pickle p;
    char *copy;

    (void)state;
    for (size_t n = 0; n < LENGTH(bytes); n++) {
        assert_int_not_equal(read_bytes(bytes, n, &p, &err, &copy), ASSAY_OK);
        pickle_release(&p);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(dicts),  cmocka_unit_test(numbers),
                                       cmocka_unit_test(part),   cmocka_unit_test(refused),
                                       cmocka_unit_test(circle), cmocka_unit_test(bomb),
                                       cmocka_unit_test(cut_off)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

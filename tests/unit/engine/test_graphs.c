/* A folder's files as graphs: which count, what is said of one that is missing or is too many, and
 * what each graph's engine is told.  The files' contents do not matter here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "assay/graphs.h"
#include "base/file.h"

static const char *const pt[] = {".pt", ".torchscript", NULL}, *const onnx[] = {".onnx", NULL};
static const struct assay_tensor_spec frames = {"frames", ASSAY_F32, 1, {4}},
                                      logits = {"logits", ASSAY_F32, 1, {9}};
static const struct assay_graph_desc wants[] = {{"joint", 2, 1, &logits, &logits},
                                                {"encoder", 1, 1, &frames, &logits}};

static char folder[64];

/* A new folder with these files, up to a NULL. */
static void make(const char *const *files)
{
    char path[256];

    snprintf(folder, sizeof(folder), "%s/assay-graphs-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(folder));
    for (; *files; files++) {
        snprintf(path, sizeof(path), "%s/%s", folder, *files);
        assert_int_equal(file_write_whole(path, "x", 1, NULL), 0);
    }
}

static struct assay_engine_config config_of(uint32_t wanted)
{
    return (struct assay_engine_config){.size = sizeof(struct assay_engine_config),
                                        .model_path = folder,
                                        .device = "cpu",
                                        .want_graph_count = wanted,
                                        .want_graphs = wants};
}

static void files_are_graphs_in_order(void **state)
{
    struct assay_engine_config c = config_of(0), own;
    struct assay_graphs g = {0};
    struct assay_err err = {0};

    (void)state;
    make((const char *const[]){"b.torchscript", "a.v2.pt", ".hidden.pt", ".pt", "notes.txt", "pt",
                               "c.onnx", NULL});
    if (assay_graphs_find(&c, pt, &g, &err))
        fail_msg("%s", err.text);
    assert_int_equal(g.count, 2);
    assert_string_equal(g.name[0], "a.v2");
    assert_string_equal(g.name[1], "b");
    own = assay_graphs_config(&c, &g, 1);
    assert_string_equal(own.model_path + strlen(folder), "/b.torchscript");
    assert_string_equal(own.device, "cpu");
    assay_graphs_release(&g);
    assert_int_equal(g.count, 0);
    file_remove_tree(folder, NULL);
}

static void any_file_is_a_model(void **state)
{
    static const char *const paths[] = {"/x/y.z/net.big.bin", "net", ".net"};
    static const char *const names[] = {"net.big", "net", ".net"};
    struct assay_engine_config c = config_of(2);
    struct assay_graphs g = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        c.model_path = paths[i];
        assert_int_equal(assay_graphs_find(&c, onnx, &g, NULL), 0);
        assert_int_equal(g.count, 1);
        assert_string_equal(g.name[0], names[i]);
        assert_string_equal(g.path[0], paths[i]);
        assay_graphs_release(&g);
    }
}

/* What find says of a folder with these files; NULL: nothing, it is fine. */
static void says(const char *const *files, uint32_t wanted, const char *what)
{
    struct assay_engine_config c = config_of(wanted);
    struct assay_graphs g = {0};
    struct assay_err err = {0};
    int rc;

    make(files);
    rc = assay_graphs_find(&c, pt, &g, &err);
    assay_graphs_release(&g);
    file_remove_tree(folder, NULL);
    if (!what && rc)
        fail_msg("%s", err.text);
    if (what && (!rc || !strstr(err.text, what) || !strstr(err.text, folder)))
        fail_msg("%s: said '%s'", what, err.text);
}

static void what_does_not_fit_is_named(void **state)
{
    (void)state;
    says((const char *const[]){"joint.pt", "encoder.torchscript", NULL}, 2, NULL);
    says((const char *const[]){"x.onnx", NULL}, 2,
         "has no .pt or .torchscript file; wanted: one for each graph");
    says((const char *const[]){"encoder.pt", "Joint.pt", NULL}, 2,
         "has no joint.pt or joint.torchscript for the graph 'joint', but Joint.pt, encoder.pt");
    says((const char *const[]){"encoder.pt", "joint.pt", "spare.pt", NULL}, 2,
         "spare.pt: is none of the graphs 'joint', 'encoder'");
    says((const char *const[]){"joint.pt", "encoder.torchscript", "encoder.pt", NULL}, 2,
         "two files for one graph");
    /* Where the benchmark calls one, or nobody said, any will do. */
    says((const char *const[]){"spare.pt", NULL}, 1, NULL);
    says((const char *const[]){"spare.pt", "other.pt", NULL}, 0, NULL);
}

static void too_many_are_refused(void **state)
{
    char names[ASSAY_GRAPHS_MAX + 1][16];
    const char *files[ASSAY_GRAPHS_MAX + 2] = {NULL};

    (void)state;
    for (int i = 0; i <= ASSAY_GRAPHS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "g%d.pt", i);
        files[i] = names[i];
    }
    says(files, 0, "has more than 16 graphs");
    files[ASSAY_GRAPHS_MAX] = NULL;
    says(files, 0, NULL);
}

static void each_graph_has_its_own_wants(void **state)
{
    struct assay_engine_config c = config_of(2), own;
    struct assay_graphs g = {0};

    (void)state;
    make((const char *const[]){"encoder.pt", "joint.pt", NULL});
    assert_int_equal(assay_graphs_find(&c, pt, &g, NULL), 0);
    own = assay_graphs_config(&c, &g, 0);
    assert_int_equal(own.want_input_count, 1);
    assert_ptr_equal(own.want_inputs, &frames);
    own = assay_graphs_config(&c, &g, 1);
    assert_int_equal(own.want_input_count, 2);
    assert_ptr_equal(own.want_outputs, &logits);
    /* A host before 1.2, whose struct ends where the graphs begin. */
    c.size = offsetof(struct assay_engine_config, want_graph_count);
    c.want_graph_count = 7;
    own = assay_graphs_config(&c, &g, 1);
    assert_int_equal(own.want_graph_count, 0);
    assert_int_equal(own.want_input_count, 0);
    assay_graphs_release(&g);
    file_remove_tree(folder, NULL);
    /* The only graph of the only file needs no name. */
    c = config_of(1);
    c.model_path = "whatever.pt";
    assert_int_equal(assay_graphs_find(&c, pt, &g, NULL), 0);
    own = assay_graphs_config(&c, &g, 0);
    assert_int_equal(own.want_input_count, 2);
    assay_graphs_release(&g);
}

static void an_error_names_its_file_once(void **state)
{
    struct assay_graphs g = {0};
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(assay_graphs_add(&g, "m", "a.pt", NULL), 0);
    assay_fail(&err, ASSAY_EFAIL, "no input");
    assert_int_equal(assay_graphs_fail(&g, 0, ASSAY_EFAIL, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "no input"); /* it is the model */
    assert_int_equal(assay_graphs_add(&g, "m", "b.pt", NULL), 0);
    assay_graphs_fail(&g, 1, ASSAY_EFAIL, &err);
    assert_string_equal(err.text, "model m/b.pt: no input");
    assay_graphs_fail(&g, 1, ASSAY_EFAIL, &err);
    assert_string_equal(err.text, "model m/b.pt: no input");
    assay_graphs_release(&g);
}

static void the_model_is_what_its_graphs_are(void **state)
{
    struct assay_model_desc d = {0};

    (void)state;
    assay_graphs_join(&d, 0, "fp32");
    assert_int_equal(d.max_batch, 0);
    assay_graphs_join(&d, 8, "int8");
    assay_graphs_join(&d, 2, "fp32");
    assay_graphs_join(&d, 4, "bf16");
    assay_graphs_join(&d, 0, "fp32");
    assert_int_equal(d.max_batch, 2);
    assert_string_equal(d.precision, "int8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_are_graphs_in_order),
                                       cmocka_unit_test(any_file_is_a_model),
                                       cmocka_unit_test(what_does_not_fit_is_named),
                                       cmocka_unit_test(too_many_are_refused),
                                       cmocka_unit_test(each_graph_has_its_own_wants),
                                       cmocka_unit_test(an_error_names_its_file_once),
                                       cmocka_unit_test(the_model_is_what_its_graphs_are)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

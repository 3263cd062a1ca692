/* Which processors lanes get, on machines that hwloc makes up; and that threads really stay there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "run/pin.h"

static hwloc_topology_t machine(const char *text)
{
    hwloc_topology_t t;

    assert_int_equal(hwloc_topology_init(&t), 0);
    if (hwloc_topology_set_synthetic(t, text) || hwloc_topology_load(t))
        fail_msg("hwloc does not know %s", text);
    return t;
}

/* "0,2 4,6": the processors of each lane. */
static void lanes_text(const struct pin *p, char *out, size_t size)
{
    size_t n = 0;

    for (uint32_t i = 0; i < p->lanes; i++) {
        if (i)
            n += (size_t)snprintf(out + n, size - n, " ");
        n += (size_t)hwloc_bitmap_list_snprintf(out + n, size - n, p->lane[i]);
    }
}

static void processors_are_shared_out(void **state)
{
    static const struct {
        const char *machine;
        uint32_t lanes, threads;
        const char *lanes_are; /* PUs by number; NULL: refused */
        const char *nodes;
        uint32_t split;
    } cases[] = {
        {"node:1 core:4 pu:1", 1, 4, "0-3", "0", 0},
        {"node:1 core:4 pu:1", 2, 2, "0-1 2-3", "0", 0},
        {"node:1 core:4 pu:1", 2, 1, "0 1", "0", 0},
        {"node:1 core:4 pu:1", 3, 2, NULL, NULL, 0},
        /* whole cores: their second threads stay free */
        {"node:1 core:4 pu:2", 2, 2, "0,2 4,6", "0", 0},
        /* more threads than cores: a core's threads go to one lane */
        {"node:1 core:4 pu:2", 2, 4, "0-3 4-7", "0", 0},
        {"node:1 core:4 pu:2", 1, 5, "0-4", "0", 0},
        {"node:1 core:4 pu:2", 3, 3, NULL, NULL, 0},
        /* spread over the nodes, and numbered node by node */
        {"node:2 core:4 pu:2", 2, 4, "0,2,4,6 8,10,12,14", "0-1", 0},
        {"node:2 core:4 pu:2", 2, 1, "0 8", "0-1", 0},
        {"node:2 core:4 pu:2", 4, 2, "0,2 4,6 8,10 12,14", "0-1", 0},
        {"node:2 core:4 pu:2", 3, 2, "0,2 4,6 8,10", "0-1", 0},
        {"node:2 core:4 pu:2", 1, 4, "0,2,4,6", "0", 0},
        /* fits into cores, yet into no node */
        {"node:2 core:4 pu:1", 1, 6, "0-5", "0-1", 1},
        {"node:2 core:3 pu:1", 3, 2, "0-1 3-4 2,5", "0-1", 1},
        {"node:4 core:2 pu:1", 8, 1, "0 1 2 3 4 5 6 7", "0-3", 0},
        {"package:2 node:2 core:2 pu:1", 4, 2, "0-1 2-3 4-5 6-7", "0-3", 0},
    };
    struct assay_err err;
    struct pin p;
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hwloc_topology_t t = machine(cases[i].machine);
        int rc = pin_partition(&p, t, cases[i].lanes, cases[i].threads, &err);

        print_message("%s: %u x %u\n", cases[i].machine, cases[i].lanes, cases[i].threads);
        if (!cases[i].lanes_are) {
            assert_int_equal(rc, ASSAY_EUSAGE);
            assert_false(p.on);
            hwloc_topology_destroy(t);
            continue;
        }
        assert_int_equal(rc, 0);
        lanes_text(&p, text, sizeof(text));
        assert_string_equal(text, cases[i].lanes_are);
        hwloc_bitmap_list_snprintf(text, sizeof(text), p.nodes);
        assert_string_equal(text, cases[i].nodes);
        assert_int_equal(p.split, cases[i].split);
        pin_release(&p);
    }
}

/* No processor has two lanes, every lane has its number, and only what is there is given. */
static void no_processor_twice(void **state)
{
    static const char *const machines[] = {"node:2 core:4 pu:2", "node:3 core:5 pu:1",
                                           "package:2 node:2 core:3 pu:2", "node:1 core:1 pu:1"};
    struct assay_err err;
    struct pin p;

    (void)state;
    for (size_t m = 0; m < sizeof(machines) / sizeof(machines[0]); m++)
        for (uint32_t lanes = 1; lanes < 9; lanes++)
            for (uint32_t threads = 1; threads < 9; threads++) {
                hwloc_topology_t t = machine(machines[m]);
                uint32_t pus = (uint32_t)hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);
                int rc = pin_partition(&p, t, lanes, threads, &err);

                assert_int_equal(rc, lanes * threads <= pus ? 0 : ASSAY_EUSAGE);
                if (rc) {
                    hwloc_topology_destroy(t);
                    continue;
                }
                for (uint32_t i = 0; i < lanes; i++)
                    assert_int_equal(hwloc_bitmap_weight(p.lane[i]), (int)threads);
                assert_int_equal(hwloc_bitmap_weight(p.all), (int)(lanes * threads));
                assert_true(hwloc_bitmap_isincluded(p.all, p.usable));
                pin_release(&p);
            }
}

static void *where(void *set)
{
    sched_getaffinity(0, sizeof(cpu_set_t), set);
    return NULL;
}

/* On this machine: a thread started by a bound one is bound too. */
static void threads_stay(void **state)
{
    cpu_set_t before, during, inside, after;
    struct settings s = {.pin = PIN_CORES};
    struct assay_err err = {0};
    pthread_t thread;
    struct pin p;

    (void)state;
    where(&before);
    if (pin_open(&p, &s, true, 1, 1, &err))
        fail_msg("%s", err.text);
    pin_bind(&p, 0);
    where(&during);
    assert_int_equal(pthread_create(&thread, NULL, where, &inside), 0);
    pthread_join(thread, NULL);
    assert_int_equal(CPU_COUNT(&during), 1);
    assert_true(CPU_EQUAL(&during, &inside));
    pin_unbind(&p);
    where(&after);
    assert_true(CPU_EQUAL(&before, &after));
    if (CPU_COUNT(&before) > 1) {
        pin_bind_spare(&p);
        where(&after);
        CPU_AND(&during, &during, &after);
        assert_int_equal(CPU_COUNT(&during), 0);
        pin_unbind(&p);
    }
    pin_release(&p);
}

/* Where it is not asked for or cannot be, the words say why. */
static void reasons(void **state)
{
    struct settings s = {.pin = PIN_OFF};
    struct assay_err err = {0};
    json_t *json;
    struct pin p;

    (void)state;
    assert_int_equal(pin_open(&p, &s, true, 1, 1, &err), 0);
    assert_false(p.on);
    pin_bind(&p, 0); /* nothing */
    pin_bind_spare(&p);
    json = pin_json(&p);
    assert_string_equal(json_string_value(json_object_get(json, "why")), "--pin off");
    json_decref(json);
    s.pin = PIN_CORES;
    assert_int_equal(pin_open(&p, &s, true, 1000, 1000, &err), ASSAY_EUSAGE);
    assert_non_null(
        strstr(err.text, "--pin cores: 1000 lanes of 1000 threads want 1000000 processors"));
    s.pin = PIN_AUTO;
    assert_int_equal(pin_open(&p, &s, true, 1000, 1000, &err), 0);
    assert_false(p.on);
    assert_non_null(strstr(p.why, "1000 lanes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(processors_are_shared_out),
                                       cmocka_unit_test(no_processor_twice),
                                       cmocka_unit_test(threads_stay), cmocka_unit_test(reasons)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

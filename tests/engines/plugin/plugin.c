/* Plugins that the host has to refuse, or to bear.
 *
 * PLUGIN_NEWER: built for another engine ABI.  PLUGIN_SMALL: a table that ends too early.
 * PLUGIN_LAME: one without submit.  PLUGIN_EMPTY: none at all.  PLUGIN_NOISY: a good one that
 * prints when it is loaded and when it is asked.  PLUGIN_CRASH, PLUGIN_EXIT, PLUGIN_HANG: good ones
 * whose static initialisation does that; PLUGIN_LATE crashes when the process ends. */
#include <signal.h>
#include <unistd.h>

#include "assay/engine.h"

#ifdef PLUGIN_EMPTY
#define NO_TABLE 1
#else
#define NO_TABLE 0
#endif

static int no_open(const struct assay_engine_config *config, void **self, struct assay_err *err)
{
    (void)config;
    (void)self;
    return assay_fail(err, ASSAY_EFAIL, "opens nothing");
}

static int no_describe(void *self, struct assay_model_desc *desc, struct assay_err *err)
{
    (void)self;
    (void)desc;
    return assay_fail(err, ASSAY_EFAIL, "describes nothing");
}

#ifndef PLUGIN_LAME
static int no_submit(void *self, struct assay_batch *batch, struct assay_err *err)
{
    (void)self;
    (void)batch;
    return assay_fail(err, ASSAY_EFAIL, "takes nothing");
}
#endif

static void no_close(void *self)
{
    (void)self;
}

static const struct assay_engine table = {
    .abi_minor = ASSAY_ENGINE_ABI_MINOR,
#ifdef PLUGIN_NEWER
    .abi_major = ASSAY_ENGINE_ABI_MAJOR + 1,
#else
    .abi_major = ASSAY_ENGINE_ABI_MAJOR,
#endif
#ifdef PLUGIN_SMALL
    .size = offsetof(struct assay_engine, probe),
#else
    .size = sizeof(struct assay_engine),
#endif
    .name = "plugin",
    .summary = "a table for tests",
    .caps = ASSAY_CAP_ANY_MODEL,
    .open = no_open,
    .describe = no_describe,
#ifndef PLUGIN_LAME
    .submit = no_submit,
#endif
    .close = no_close,
};

const struct assay_engine *assay_engine_entry(void)
{
#ifdef PLUGIN_NOISY
    printf("noise of the entry\n");
#endif
    return NO_TABLE ? NULL : &table;
}

#ifdef PLUGIN_NOISY
__attribute__((constructor)) static void loaded(void)
{
    printf("noise of the constructor\n");
}
#endif

#if defined(PLUGIN_CRASH) || defined(PLUGIN_LATE)
#ifdef PLUGIN_CRASH
__attribute__((constructor))
#else
__attribute__((destructor))
#endif
static void
crash(void)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's own handler would turn it into an exit */
    raise(SIGSEGV);
}
#endif

#ifdef PLUGIN_EXIT
__attribute__((constructor)) static void leave(void)
{
    _exit(0);
}
#endif

#ifdef PLUGIN_HANG
__attribute__((constructor)) static void hang(void)
{
    for (;;)
        pause();
}
#endif

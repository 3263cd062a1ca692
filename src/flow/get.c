/* Progress, signals and the answer of getting something; see get.h. */
#include "flow/get.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define EVERY_NS       1000000000
#define EVERY_PLAIN_NS 10000000000

static volatile int stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- progress ---- */

enum style { STYLE_NONE, STYLE_LINE, STYLE_PLAIN, STYLE_JSON };

struct shown {
    enum style style;
    int64_t last_ns;
    bool open; /* an unfinished line is on the terminal */
    int64_t rate_ns, rate_came;
    double rate; /* bytes a second, of the last seconds; 0: nothing comes */
};

static enum style style_of(const char *how)
{
    if (!how)
        how = "auto";
    if (!strcmp(how, "none"))
        return STYLE_NONE;
    if (!strcmp(how, "json"))
        return STYLE_JSON;
    return strcmp(how, "plain") != 0 && isatty(STDERR_FILENO) ? STYLE_LINE : STYLE_PLAIN;
}

/* A new second weighs a third of what is told. */
static void measure(struct shown *s, const struct make_progress *p, int64_t now)
{
    double dt = (double)(now - s->rate_ns) / 1e9, rate;

    if (s->rate_ns && dt < 1)
        return;
    rate = s->rate_ns ? (double)(p->came - s->rate_came) / dt : 0;
    s->rate = s->rate > 0 && rate > 0 ? (2 * s->rate + rate) / 3 : rate;
    s->rate_ns = now;
    s->rate_came = p->came;
}

static void status_text(const struct shown *s, const struct make_progress *p, char out[160])
{
    char bytes[32], text[32];
    int n = snprintf(out, 160, "%zu of %zu done", p->done, p->total);

    text_bytes(bytes, (double)p->bytes);
    text_bytes(text, (double)p->all_bytes);
    if (p->all_bytes > 0)
        n += snprintf(out + n, 160 - (size_t)n, "  %s of %s", bytes, text);
    else if (p->bytes)
        n += snprintf(out + n, 160 - (size_t)n, "  %s", bytes);
    text_bytes(text, s->rate);
    if (s->rate > 0)
        n += snprintf(out + n, 160 - (size_t)n, "  %s/s", text);
    if (s->rate > 0 && (double)(p->all_bytes - p->bytes) >= s->rate) {
        text_duration(text, (double)(p->all_bytes - p->bytes) / s->rate);
        n += snprintf(out + n, 160 - (size_t)n, ", %s left", text);
    }
    if (n < 79)
        snprintf(out + n, (size_t)(80 - n), "  %s", p->running);
}

static void show_json(const struct shown *s, const struct make_progress *p)
{
    json_t *line =
        json_pack("{s:s, s:I, s:I, s:I, s:f, s:s, s:s*, s:s*, s:s*}", "schema",
                  "assay.get-progress/1", "done", (json_int_t)p->done, "total",
                  (json_int_t)p->total, "bytes", (json_int_t)p->bytes, "bytes_per_s", s->rate,
                  "running", p->running, "id", p->id, "what", p->what, "note", p->note);

    if (p->all_bytes >= 0)
        json_object_set_new(line, "all_bytes", json_integer(p->all_bytes));
    json_dumpf(line, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(line);
}

static void show(void *ctx, const struct make_progress *p)
{
    struct shown *s = ctx;
    int64_t now = clock_ns(), every = s->style == STYLE_PLAIN ? EVERY_PLAIN_NS : EVERY_NS;
    char text[160];

    measure(s, p, now);
    if (s->style == STYLE_NONE || (!p->id && now - s->last_ns < every))
        return;
    status_text(s, p, text);
    if (s->style == STYLE_LINE)
        text_fit_line(text);
    if (s->style == STYLE_JSON)
        show_json(s, p);
    else if (s->style == STYLE_LINE && p->note)
        fprintf(stderr, "\r\033[K%s: %s\n%s", p->id, p->note, text);
    else if (s->style == STYLE_LINE)
        fprintf(stderr, "\r\033[K%s", text);
    else if (p->id)
        fprintf(stderr, "%s: %s\n", p->id, p->note ? p->note : p->what);
    else if (s->last_ns)
        fprintf(stderr, "%s\n", text);
    s->open = s->style == STYLE_LINE;
    s->last_ns = now;
    fflush(stderr);
}

/* ---- carrying out ---- */

const volatile int *get_listen(bool begin)
{
    static struct sigaction old[4];
    const struct sigaction act = {.sa_handler = on_signal}, usual = {.sa_handler = SIG_DFL};
    const int signals[4] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};

    if (begin)
        stop = 0;
    /* Where a parent ignored SIGCHLD, no program's end would be told. */
    for (int i = 0; i < 4; i++)
        sigaction(signals[i],
                  !begin                  ? &old[i]
                  : signals[i] == SIGCHLD ? &usual
                                          : &act,
                  begin ? &old[i] : NULL);
    if (begin && old[2].sa_handler == SIG_IGN) /* what nohup keeps off stays off */
        sigaction(SIGHUP, &old[2], NULL);
    return &stop;
}

int get_carry_out(struct plan *p, const char *progress, int jobs, struct make_failure *failure,
                  struct assay_err *err)
{
    struct shown shown = {.style = style_of(progress)};
    struct make_options o = {.jobs = jobs, .stop = &stop, .show = show, .ctx = &shown};
    int rc;

    get_listen(true);
    rc = make_plan(p, &o, failure, err);
    get_listen(false);
    if (shown.open)
        fprintf(stderr, "\r\033[K");
    return rc;
}

static json_t *got_json(const struct plan *p, size_t root)
{
    const struct plan_node *n = &p->nodes[p->roots[root]];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "request", p->ask.requests[root],
                     "recipe", n->recipe->name, "version", n->version, "state",
                     plan_state_names[n->state], "key", n->key, "path", n->root, "outputs",
                     n->outputs);
}

json_t *get_json(const struct plan *p)
{
    json_t *got = json_array();

    for (size_t i = 0; i < p->root_count; i++)
        json_array_append_new(got, got_json(p, i));
    return json_pack("{s:o}", "got", got);
}

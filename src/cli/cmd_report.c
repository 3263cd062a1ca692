/* assay report: records as a page to look at, to print or to send. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "report/pages.h"

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n > m && !strcasecmp(s + n - m, end);
}

static const struct report_form *form_of(const char *output)
{
    const struct report_form *f = report_forms;

    while (f->name && !ends_with(output, f->ends[0]) && !ends_with(output, f->ends[1]))
        f++;
    return f->name ? f : NULL;
}

static bool form_asked(const struct cli_input *in)
{
    const struct report_form *f = report_forms;

    while (f->name && !cli_value(in, f->name))
        f++;
    return f->name != NULL;
}

/* HTML unless something says otherwise; NULL when two forms are asked for. */
static const struct report_form *find_form(const struct cli_input *in, const char *output)
{
    const struct report_form *found = NULL, *f;

    for (f = report_forms; f->name; f++) {
        if (!cli_value(in, f->name))
            continue;
        if (found)
            return NULL;
        found = f;
    }
    if (!found && output)
        found = form_of(output);
    return found ? found : &report_forms[0];
}

static int write_report(const struct report_form *form, const json_t *records, const char *output,
                        struct assay_err *err)
{
    char *page = NULL;
    size_t len = 0;
    int rc = report_page(form, records, &page, &len, err);

    if (!rc && strcmp(output, "-"))
        rc = file_write_whole(output, page, len, err);
    else if (!rc)
        fwrite(page, 1, len, stdout); /* whether it could be written is seen at the end */
    free(page);
    return rc;
}

static int cmd_report(struct cli_input *in)
{
    const char *output = cli_value(in, "output");
    const struct report_form *form = find_form(in, output);
    json_t *records = NULL;
    struct assay_err err;
    int rc;

    if (!form)
        return cli_usage(in->command, "one of --html, --markdown and --csv, not two");
    if (output && strchr(file_base(output), '.') && !form_of(output) && !form_asked(in))
        return cli_usage(in->command,
                         "%s: no form ends in '%s'; .html, .md and .csv are known, others want "
                         "--html, --markdown or --csv",
                         output, strrchr(output, '.'));
    if (!output && form == &report_forms[0] && isatty(1))
        return cli_usage(in->command, "an HTML page is for a browser: name a file with --output "
                                      "FILE, or choose --markdown");
    if ((rc = cli_records(in, &records)))
        return rc;
    if (write_report(form, records, output ? output : "-", &err))
        rc = cli_fail(&err);
    json_decref(records);
    return rc;
}

static const struct cli_option options[] = {
    {"all", 'a', NULL, NULL, NULL, "all runs of the store, the newest first"},
    {"output", 'o', "FILE", NULL, NULL,
     "the file to write, whole or not at all; its ending chooses the form; default: standard "
     "output"},
    {"html", 0, NULL, NULL, NULL,
     "one page with charts, for a browser; nothing is fetched by it (default)"},
    {"markdown", 0, NULL, NULL, NULL, "the same words and tables without charts"},
    {"csv", 0, NULL, NULL, NULL, "one line a run, for a spreadsheet"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"store", NULL};

const struct cli_command cli_cmd_report = {
    .name = "report",
    .summary = "write a page about runs: HTML with charts, Markdown or CSV",
    .arguments = "[RUN...]",
    .options = options,
    .settings = settings,
    .help = "A RUN is an id, the beginning of one, `last`, a record's folder, or a record.json. "
            "Several "
            "runs get an overview, and bars where they can be compared.\n"
            "\n"
            "    assay report last --output run.html\n"
            "    assay report 4f2a 77c0 -o two.md\n"
            "    assay report --all -o all.csv",
    .run = cmd_report};

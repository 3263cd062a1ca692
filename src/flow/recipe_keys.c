/* What may stand in a recipe: one row a key.  The reader walks it, and the schema is printed from
 * it, so they cannot differ. */
#include "flow/recipe_keys.h"

#include <string.h>

#include "base/file.h"
#include "flow/recipe.h"
#include "flow/version.h"

/* Forms of single values. */

static bool fits_text(const json_t *v)
{
    return json_is_string(v);
}

static bool without_controls(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ')
            return false;
    return true;
}

static bool fits_line(const json_t *v)
{
    const char *s = json_string_value(v);

    return s && *s && without_controls(s);
}

bool recipe_is_word(const char *s)
{
    size_t n = strlen(s);

    return n && n <= RECIPE_WORD_MAX && !strchr("._+-", s[0]) &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._+-") == n;
}

bool recipe_is_variable(const char *s)
{
    static const char names[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t n = strlen(s);

    return n && n <= RECIPE_WORD_MAX && (s[0] < '0' || s[0] > '9') && strspn(s, names) == n;
}

static bool fits_word(const json_t *v)
{
    return json_is_string(v) && recipe_is_word(json_string_value(v));
}

static bool fits_below(const json_t *v)
{
    const char *s = json_string_value(v);

    return fits_line(v) && !file_leaves_folder(s) && !strstr(s, "${");
}

static bool fits_whole(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

static bool fits_real(const json_t *v)
{
    return json_is_number(v);
}

static bool fits_flag(const json_t *v)
{
    return json_is_boolean(v);
}

static bool fits_value(const json_t *v)
{
    return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

static bool fits_size(const json_t *v)
{
    return recipe_size(v) >= 0;
}

static bool fits_range(const json_t *v)
{
    const char *s = json_string_value(v);

    return s && !version_range_check(s, "", NULL);
}

static bool is_hex(const json_t *v, size_t digits)
{
    const char *s = json_string_value(v);

    return s && strlen(s) == digits && strspn(s, "0123456789abcdef") == digits;
}

static bool fits_sha256(const json_t *v)
{
    return is_hex(v, 64);
}

static bool fits_md5(const json_t *v)
{
    return is_hex(v, 32);
}

static bool fits_url(const json_t *v)
{
    static const char *const starts[] = {"https:", "http:", "file:"};
    const char *s = json_string_value(v);

    if (!s || !without_controls(s) || strchr(s, ' '))
        return false;
    for (size_t i = 0; i < 3; i++)
        if (!strncmp(s, starts[i], strlen(starts[i])) && s[strlen(starts[i])])
            return true;
    return false;
}

static bool fits_each_url(const json_t *v)
{
    return fits_url(v) && strstr(json_string_value(v), "{name}");
}

static bool fits_gift(const json_t *v)
{
    const char *s = json_string_value(v);

    return s && !strncmp(s, "${dep.", 6) && s[6] != '}' && s[6 + strcspn(s + 6, "}")] == '}' &&
           !s[7 + strcspn(s + 6, "}")];
}

/* Keys parted by dots; "[]" behind one, or in the place of the first: of each element. */
static bool fits_path(const json_t *v)
{
    const char *s = json_string_value(v);
    bool first = true;
    size_t n;

    if (!s || !without_controls(s))
        return false;
    for (;; s++, first = false) {
        n = strcspn(s, ".[]");
        if (!n && (!first || strncmp(s, "[]", 2) != 0))
            return false;
        for (s += n; !strncmp(s, "[]", 2); s += 2)
            ;
        if (*s != '.')
            return !*s;
    }
}

static bool fits_type(const json_t *v)
{
    static const char *const types[] = {"text",   "int",  "real",   "bool",
                                        "choice", "file", "folder", "secret"};
    const char *s = json_string_value(v);

    for (size_t i = 0; s && i < sizeof(types) / sizeof(types[0]); i++)
        if (!strcmp(s, types[i]))
            return true;
    return false;
}

static bool fits_one(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) == 1;
}

#define STRING(more) "{\"type\": \"string\"" more "}"

const struct recipe_form_row recipe_forms[] = {
    [FORM_TEXT] = {"a text (in quotes if it looks like a number)", STRING(""), fits_text},
    [FORM_LINE] = {"a line of text (in quotes if it looks like a number)",
                   STRING(", \"pattern\": \"^[^\\\\x00-\\\\x1f]+$\""), fits_line},
    [FORM_WORD] = {"a word of at most 64 small letters, digits and the characters . _ + -",
                   STRING(", \"pattern\": \"^[a-z0-9][a-z0-9._+-]{0,63}$\""), fits_word},
    [FORM_FILL] = {"a text (in quotes if it looks like a number)", STRING(""), fits_text},
    [FORM_BELOW] = {"the name of a file below a folder: not absolute, without '..' and without "
                    "'${' (such a name is taken as it is)",
                    STRING(", \"pattern\": \"^(?!/)(?!(.*/)?\\\\.\\\\.(/|$))"
                           "(?!.*\\\\$\\\\{)[^\\\\x00-\\\\x1f]+$\""),
                    fits_below},
    [FORM_WHOLE] = {"a whole number, not below 0", "{\"type\": \"integer\", \"minimum\": 0}",
                    fits_whole},
    [FORM_REAL] = {"a number", "{\"type\": \"number\"}", fits_real},
    [FORM_FLAG] = {"true or false", "{\"type\": \"boolean\"}", fits_flag},
    [FORM_VALUE] = {"a text, a number, true or false",
                    "{\"type\": [\"string\", \"number\", \"boolean\"]}", fits_value},
    [FORM_GIVEN] = {"a text, a number, true or false",
                    "{\"type\": [\"string\", \"number\", \"boolean\"]}", fits_value},
    [FORM_SIZE] = {"a number of bytes, or a text like \"1.3 GB\" or \"64 MiB\"",
                   "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, {\"type\": \"string\", "
                   "\"pattern\": \"^[0-9]{1,9}(\\\\.[0-9]{1,9})? ?(B|kB|[MGT]B|[KMGT]iB)$\"}]}",
                   fits_size},
    [FORM_RANGE] = {"a range of versions like '>=1.2 <2', '==1.4.1' or '1.2'",
                    STRING(", \"pattern\": \"^[ ,\\\\t]*((==|!=|>=|<=|=|>|<)?[ \\\\t]*"
                           "[A-Za-z0-9._+~-]{1,63}([ ,\\\\t]+|$))*$\""),
                    fits_range},
    [FORM_SHA256] = {"a SHA-256: 64 hexadecimal digits in small letters (in quotes)",
                     STRING(", \"pattern\": \"^[0-9a-f]{64}$\""), fits_sha256},
    [FORM_MD5] = {"an MD5: 32 hexadecimal digits in small letters (in quotes)",
                  STRING(", \"pattern\": \"^[0-9a-f]{32}$\""), fits_md5},
    [FORM_URL] = {"an address that begins with https:, http: or file:, without spaces",
                  STRING(", \"pattern\": \"^(https?|file):[^\\\\x00-\\\\x20]+$\""), fits_url},
    [FORM_EACH_URL] = {"an address like those of 'urls', with {name} in it",
                       STRING(", \"pattern\": \"^(https?|file):[^\\\\x00-\\\\x20]*"
                              "\\\\{name\\\\}[^\\\\x00-\\\\x20]*$\""),
                       fits_each_url},
    [FORM_GIFT] = {"what a need gives, as ${dep.NAME.OUTPUT}, and nothing else",
                   STRING(", \"pattern\": \"^\\\\$\\\\{dep\\\\.[^}]+\\\\}$\""), fits_gift},
    [FORM_PATH] = {"a path of keys like images[].file_name ([]: each element of the list)",
                   STRING(", \"pattern\": \"^([^.\\\\[\\\\]\\\\x00-\\\\x1f]+(\\\\[\\\\])*|"
                          "(\\\\[\\\\])+)(\\\\.[^.\\\\[\\\\]\\\\x00-\\\\x1f]+(\\\\[\\\\])*)*$\""),
                   fits_path},
    [FORM_TYPE] = {"one of text, int, real, bool, choice, file, folder, secret",
                   "{\"enum\": [\"text\", \"int\", \"real\", \"bool\", \"choice\", \"file\", "
                   "\"folder\", \"secret\"]}",
                   fits_type},
    [FORM_ONE] = {"1", "{\"const\": 1}", fits_one}};

/* The rows. */

#define KEY(...)                                                                                   \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define END KEY(NULL, 0, false, NULL, NULL)
static const struct recipe_key a_text = KEY("text", FORM_TEXT, false, NULL, NULL),
                               a_word = KEY("word", FORM_WORD, false, NULL, NULL),
                               a_fill = KEY("text", FORM_FILL, false, NULL, NULL),
                               a_given = KEY("value", FORM_GIVEN, false, NULL, NULL),
                               a_below = KEY("file", FORM_BELOW, false, NULL, NULL),
                               an_url = KEY("address", FORM_URL, false, NULL, NULL),
                               an_each_url = KEY("address", FORM_EACH_URL, false, NULL, NULL);

static const struct recipe_key licence_rows[] = {
    KEY("name", FORM_LINE, true, NULL, "what it is called"),
    KEY("url", FORM_URL, false, NULL, "where it can be read"),
    KEY("accept", FORM_FLAG, false, NULL, "true: fetched only with --accept RECIPE"),
    KEY("gate", FORM_TEXT, false, NULL,
        "how to get what nobody may fetch for the user, who then says --have RECIPE=PATH"),
    END};
static const struct recipe_key input_rows[] = {
    KEY("type", FORM_TYPE, true, NULL, "text, int, real, bool, choice, file, folder or secret"),
    KEY("default", FORM_VALUE, false, NULL, "its value when none is given"),
    KEY("min", FORM_REAL, false, NULL, "of int and real"),
    KEY("max", FORM_REAL, false, NULL, "of int and real"),
    KEY("choices", FORM_LIST, false, &a_text, "of choice"),
    KEY("env", FORM_LINE, false, NULL, "of secret: the variable of the environment that holds it"),
    KEY("help", FORM_TEXT, false, NULL, "one line"),
    END};
static const struct recipe_key need_rows[] = {
    KEY("tags", FORM_LIST, true, &a_word, "name, tags and variations of what is needed"),
    KEY("version", FORM_RANGE, false, NULL, "which versions will do: \">=1.2 <2\""),
    KEY("as", FORM_WORD, false, NULL,
        "what it is called in ${dep.AS.OUTPUT}; default: its first tag"),
    KEY("with", FORM_MAP, false, &a_given, "values for its inputs"),
    KEY("use", FORM_FLAG, false, NULL, "true: needed to use the result too, not only to make it"),
    END};
static const struct recipe_key resource_rows[] = {
    KEY("disk", FORM_SIZE, false, NULL, "what it takes there, beside what is fetched"),
    KEY("memory", FORM_SIZE, false, NULL, "what it takes to be made"),
    KEY("device", FORM_WORD, false, NULL, "a device that must be there to make it: cuda"), END};
static const struct recipe_key find_rows[] = {
    KEY("program", FORM_FILL, false, NULL, "a program in PATH"),
    KEY("version", FORM_LIST, false, &a_fill, "its arguments that make it tell its version"),
    KEY("match", FORM_LINE, false, NULL,
        "an extended regular expression whose first group is the version in what it tells"),
    KEY("folder", FORM_FILL, false, NULL, "a folder; ${env.NAME} is a variable of the environment"),
    KEY("has", FORM_LIST, false, &a_below, "files that must be in the folder"),
    END};
static const struct recipe_key each_rows[] = {
    KEY("from", FORM_GIFT, true, NULL, "the list, a file that a need gives: ${dep.NAME.OUTPUT}"),
    KEY("json", FORM_PATH, false, NULL,
        "where the names are in a JSON file: images[].file_name; without it, it is a text file "
        "with "
        "one in a line"),
    KEY("urls", FORM_LIST, true, &an_each_url, "where each is: https://host/folder/{name}"),
    KEY("count", FORM_WHOLE, true, NULL, "how many names the list must have"),
    KEY("about", FORM_SIZE, true, NULL, "the size of all of them together"),
    KEY("keep", FORM_BELOW, false, NULL,
        "what the list itself is called beside them; none: left out"),
    END};
static const struct recipe_key fetch_rows[] = {
    KEY("file", FORM_BELOW, true, NULL, "what it is called here; of each: with {name} in it"),
    KEY("urls", FORM_LIST, false, &an_url, "where it is; the second is tried when the first fails"),
    KEY("pypi", FORM_WORD, false, NULL,
        "instead of urls: the package, in the index that pip is set up with, that this is a file "
        "of"),
    KEY("each", FORM_OBJECT, false, each_rows, "instead of urls: one file for each name of a list"),
    KEY("bytes", FORM_WHOLE, false, NULL, "its exact size"),
    KEY("about", FORM_SIZE, false, NULL, "its size where the exact one is not published"),
    KEY("sha256", FORM_SHA256, false, NULL, "its digest"),
    KEY("md5", FORM_MD5, false, NULL, "where the publisher gives no SHA-256"),
    KEY("unpack", FORM_BELOW, false, NULL, "an archive: the folder for what is in it (\".\")"),
    END};
static const struct recipe_key step_rows[] = {
    KEY("run", FORM_LIST, false, &a_fill,
        "a program and its arguments; no shell reads them; ${assay} is Assay itself"),
    KEY("in", FORM_FILL, false, NULL, "the folder in which it runs; default: ${work}"),
    KEY("to", FORM_BELOW, false, NULL, "a file below ${out} for what it prints"),
    KEY("write", FORM_BELOW, false, NULL, "instead of run: a file below ${out} …"),
    KEY("text", FORM_FILL, false, NULL, "… and what is in it"),
    END};
static const struct recipe_key check_rows[] = {
    KEY("file", FORM_BELOW, false, NULL, "a file that must be there, and not be empty"),
    KEY("or", FORM_BELOW, false, NULL, "what it may be called instead"),
    KEY("bytes", FORM_WHOLE, false, NULL, "its exact size"),
    KEY("sha256", FORM_SHA256, false, NULL, "its digest"),
    KEY("md5", FORM_MD5, false, NULL, "its digest"),
    KEY("folder", FORM_BELOW, false, NULL, "a folder that must be there"),
    KEY("files", FORM_WHOLE, false, NULL, "how many files it has; empty ones do not count"),
    KEY("suffix", FORM_LINE, false, NULL, "only those with this ending count"),
    KEY("run", FORM_LIST, false, &a_fill, "a program that must end with exit code 0"),
    END};
static const struct recipe_way find_ways[] = {{"program", {"version", "match"}, NULL},
                                              {"folder", {"has"}, NULL},
                                              {NULL, {NULL}, NULL}},
                               fetch_ways[] = {{"urls",
                                                {"bytes", "about", "sha256", "md5", "unpack"},
                                                NULL},
                                               {"pypi", {"bytes", "sha256", "unpack"}, "sha256"},
                                               {"each", {NULL}, NULL},
                                               {NULL, {NULL}, NULL}},
                               step_ways[] = {{"run", {"in", "to"}, NULL},
                                              {"write", {"text"}, NULL},
                                              {NULL, {NULL}, NULL}},
                               check_ways[] = {{"file", {"or", "bytes", "sha256", "md5"}, NULL},
                                               {"folder", {"files", "suffix"}, NULL},
                                               {"run", {NULL}, NULL},
                                               {NULL, {NULL}, NULL}};
static const struct recipe_key an_input = KEY("input", FORM_OBJECT, false, input_rows, NULL),
                               a_need = KEY("need", FORM_OBJECT, false, need_rows, NULL),
                               a_find = {"way", FORM_OBJECT, false, find_rows, NULL, find_ways},
                               a_fetch = {"download", FORM_OBJECT, false,
                                          fetch_rows, NULL,        fetch_ways},
                               a_step = {"step", FORM_OBJECT, false, step_rows, NULL, step_ways},
                               a_check = {"check",    FORM_OBJECT, false,
                                          check_rows, NULL,        check_ways};

#define BODY                                                                                       \
    KEY("licence", FORM_OBJECT, false, licence_rows,                                               \
        "whose terms hold, and what the user must do"),                                            \
        KEY("inputs", FORM_MAP, false, &an_input, "typed values: ${input.NAME}"),                  \
        KEY("needs", FORM_LIST, false, &a_need, "other recipes: ${dep.NAME.OUTPUT}"),              \
        KEY("resources", FORM_OBJECT, false, resource_rows, "what the machine must have"),         \
        KEY("source", FORM_FILL, false, NULL, "a local folder that it is made from: ${source}"),   \
        KEY("find", FORM_LIST, false, &a_find, "where it may be already; in order"),               \
        KEY("fetch", FORM_LIST, false, &a_fetch, "what is downloaded: ${fetched}"),                \
        KEY("env", FORM_ENV, false, &a_fill, "the environment of its steps"),                      \
        KEY("build", FORM_LIST, false, &a_step, "how it is built, in order"),                      \
        KEY("convert", FORM_LIST, false, &a_step, "how it is converted, after build"),             \
        KEY("outputs", FORM_MAP, false, &a_below, "what it gives: names and files or folders"),    \
        KEY("values", FORM_MAP, false, &a_fill, "what else it gives: names and texts"),            \
        KEY("check", FORM_LIST, false, &a_check, "what must be so when it is there")

static const struct recipe_key body_rows[] = {BODY, END};
static const struct recipe_key an_option = KEY("option", FORM_OBJECT, false, body_rows, NULL),
                               a_list_of_words = KEY("pair", FORM_LIST, false, &a_word, NULL);
static const struct recipe_key group_rows[] = {
    KEY("default", FORM_WORD, false, NULL, "the option that is taken; none: it may be left out"),
    KEY("options", FORM_MAP, true, &an_option, "at most one of them is taken"),
    KEY("help", FORM_TEXT, false, NULL, "one line"), END};
static const struct recipe_key a_group = KEY("group", FORM_OBJECT, false, group_rows, NULL);
static const struct recipe_key root_rows[] = {
    KEY("schema", FORM_ONE, true, NULL, "1"),
    KEY("name", FORM_WORD, true, NULL, "what it is called; files with one name are its versions"),
    KEY("summary", FORM_LINE, true, NULL, "what it gives, in one line"),
    KEY("notes", FORM_TEXT, false, NULL, "what a reader should know"),
    KEY("tags", FORM_LIST, false, &a_word, "words by which it is asked for, beside its name"),
    KEY("version", FORM_LINE, false, NULL, "its version, in quotes"),
    KEY("variations", FORM_MAP, false, &a_group, "groups of options"),
    KEY("exclusions", FORM_LIST, false, &a_list_of_words, "options that are never taken together"),
    BODY,
    END};
const struct recipe_key recipe_root = KEY("recipe", FORM_OBJECT, true, root_rows, NULL);

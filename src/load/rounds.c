/* The table of rounds.  A seed that is 0 is not written down here; qsl_rng_seed always is, and it
 * differs between all rounds, so a log of another round's LoadGen is always found out. */
#include "load/rounds.h"

#include <string.h>

const struct load_round load_rounds[] = {
    {"v6.1", "6.0.17", 2085463073848966840u, 2747215439041700203u, 16159082839903944936u},
    {"v6.0", "6.0.15", 2465351861681999779u, 14276810075590677512u, 3936089224930324775u},
    {"v5.1", "5.1.2", 1780908523862526354u, 14771362308971278857u, 18209322760996052031u},
    {"v5.0", "5.0.20", 6023615788873153749u, 15036839855038426416u, 9933818062894767841u},
    {"v4.1", "5.0.2", 3066443479025735752u, 0, 0},
    {NULL, NULL, 0, 0, 0},
};

const struct load_round *load_round_find(const char *name)
{
    const struct load_round *r;

    for (r = load_rounds; name && r->name; r++)
        if (!strcmp(r->name, name))
            return r;
    return NULL;
}

const char *load_round_allowed(const char *name)
{
    return load_round_find(name) ? NULL : "the rounds v6.1, v6.0, v5.1, v5.0, v4.1";
}

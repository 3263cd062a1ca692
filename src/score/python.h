/* Numbers as the official scripts, which are Python, print them. */
#ifndef SCORE_PYTHON_H
#define SCORE_PYTHON_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A double of everyday size: the fewest digits that give it back, and always a point. */
static inline void python_double(double value, char out[40])
{
    int digits = 3;

    do
        snprintf(out, 40, "%.*g", digits, value);
    while (strtod(out, NULL) != value && digits++ < 17);
    if (isfinite(value) && !strpbrk(out, ".e"))
        snprintf(out + strlen(out), 3, ".0");
}

#endif

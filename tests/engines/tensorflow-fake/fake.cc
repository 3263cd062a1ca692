/* A library with TensorFlow's names and nothing behind them: each throws.  FAKE_OLD says that it is
 * version 1, FAKE_BARE has TF_Version alone. */
#include <stdexcept>

#include "functions.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT const char *TF_Version()
{
#ifdef FAKE_OLD
    return "1.15.5";
#else
    return "2.99.0";
#endif
}

#ifndef FAKE_BARE
#define THROW(name)                                                                                \
    EXPORT void name()                                                                             \
    {                                                                                              \
        throw std::runtime_error("thrown by " #name "\nin two lines");                             \
    }
/* The list has the one that is there already. */
#define TF_Version fake_version
TENSORFLOW_FUNCTIONS(THROW)
#endif

/* A session's settings, and its device. */
#ifndef TENSORFLOW_SESSION_H
#define TENSORFLOW_SESSION_H

#include "assay/engine.h"
#include "library.h"

extern const struct assay_option session_options[];
extern const struct assay_tunable session_tunables[];

/* What TensorFlow can only be told by the environment, and only before it is loaded. */
void session_environment(const struct assay_engine_config *c);
int session_make_options(const struct library *lib, const struct assay_engine_config *c,
                         TF_SessionOptions **out, struct assay_err *err);
/* Whether the session got the device that was asked for. */
int session_check_device(const struct library *lib, TF_Session *session, const char *device,
                         TF_Status *status, struct assay_err *err);

#endif

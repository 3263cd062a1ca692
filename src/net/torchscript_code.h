/* Inside of the TorchScript writer: the text of a net's class.  torchscript.c writes the file. */
#ifndef NET_TORCHSCRIPT_CODE_H
#define NET_TORCHSCRIPT_CODE_H

#include "base/text.h"
#include "net/net.h"

#define TORCHSCRIPT_CLASS "Net"

/* Attributes, and forward() in TorchScript's own Python. */
void torchscript_code(struct text *t, const struct net *net);

/* What the attribute of a layer's k-th constant is called. */
struct torchscript_name {
    char s[96];
};
struct torchscript_name torchscript_attribute(const struct net *net, int layer, int k);

#endif

/* The nets of the table in net.c: one file and one line each. */
#ifndef NET_NETS_H
#define NET_NETS_H

#include "net/net.h"

void net_build_resnet50(struct net *net);
void net_build_check(struct net *net);
void net_build_resnet50_torchvision(struct net *net);

#endif

/* The nets of the table in net.c: one file and one line each. */
#ifndef NET_NETS_H
#define NET_NETS_H

#include "net/net.h"

void net_build_resnet50(struct net *net);
void net_build_check(struct net *net);
void net_build_resnet50_torchvision(struct net *net);
void net_build_bert(struct net *net);
void net_build_retinanet(struct net *net);
void net_build_unet3d(struct net *net);
void net_build_dlrm(struct net *net);
void net_build_dlrm_v2(struct net *net);
void net_build_rnnt_encoder(struct net *net);
void net_build_rnnt_prediction(struct net *net);
void net_build_rnnt_joint(struct net *net);

/* The same with few layers and narrow ones, for tests: net_create_from makes a net of it. */
void net_build_bert_small(struct net *net);
void net_build_bert_deep(struct net *net); /* not so small: 8 layers */
void net_build_retinanet_small(struct net *net);
void net_build_unet3d_small(struct net *net);
void net_build_dlrm_small(struct net *net);
void net_build_dlrm_v2_small(struct net *net);
void net_build_rnnt_encoder_small(struct net *net);
void net_build_rnnt_prediction_small(struct net *net);
void net_build_rnnt_joint_small(struct net *net);

#endif

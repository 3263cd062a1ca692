/* Included by the files whose floating-point results must have the same bits everywhere: a = b * c
 * + d is two roundings there, never one.  gcc contracts only outside ISO mode, so ISO mode is asked
 * for; clang is told. */
#ifndef NET_EXACT_H
#define NET_EXACT_H

#include <float.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif !defined(__STRICT_ANSI__)
#error "compile this with -std=c11: GNU mode lets gcc fuse multiply and add, and the bits change"
#endif
#ifdef __FAST_MATH__
#error "compile this without -ffast-math: the bits change"
#endif
_Static_assert(FLT_EVAL_METHOD == 0,
               "float arithmetic must be done in float (on x86: SSE, not x87)");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "weights are written as they lie in memory");

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Visibility is hidden: what libmcmig gives to modules and programs is marked. */
#ifndef MCMIG_BASE_EXPORT_H
#define MCMIG_BASE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MCMIG_API __attribute__((visibility("default")))

#endif

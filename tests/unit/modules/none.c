/* SPDX-License-Identifier: BSD-2-Clause */
/* A shared object that is no module. */
#include "module/module.h"

MODULE_EXPORT extern const int mcmig_something;
const int mcmig_something = 1;

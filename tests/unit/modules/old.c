/* SPDX-License-Identifier: BSD-2-Clause */
/* A module of another ABI: nothing of it but the number may be looked at. */
#include "module/module.h"

MODULE_EXPORT extern const uint32_t mcmig_module;
const uint32_t mcmig_module = MODULE_ABI + 1;

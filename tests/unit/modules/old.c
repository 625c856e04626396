/* SPDX-License-Identifier: BSD-2-Clause */
/* A module of another ABI: nothing of it but the number may be looked at. */
#include "module/module.h"

MODULE_EXPORT const struct module mcmig_module = {
	.abi = MODULE_ABI + 1,
	.name = (const char *)1,
};

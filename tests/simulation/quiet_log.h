/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MCMIG_SIMULATION_QUIET_LOG_H
#define MCMIG_SIMULATION_QUIET_LOG_H

#include <stdbool.h>

void quiet_log_show(bool show);

#endif

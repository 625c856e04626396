/* SPDX-License-Identifier: BSD-2-Clause */
/* accept() as Sofia-SIP calls it: whom it asks when descriptors get few. */
#ifndef MCMIG_SRC_ACCEPT_H
#define MCMIG_SRC_ACCEPT_H

#include "sip/stack.h"

/* NULL: nobody; all connections are alike. */
void accept_ask(struct sip_stack *stack);
/* Open, of no use but for its place. */
int accept_spare_descriptor(void);

#endif

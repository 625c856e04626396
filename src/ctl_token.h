/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmigctl token inspect: explains an access token, without a daemon. */
#ifndef MCMIG_SRC_CTL_TOKEN_H
#define MCMIG_SRC_CTL_TOKEN_H

/* argv[0] is "token". The exit status: 0 valid, 1 not valid, 2 wrong use. */
int ctl_token(int argc, char **argv);

#endif

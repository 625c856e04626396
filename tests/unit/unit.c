/* SPDX-License-Identifier: BSD-2-Clause */
/* main() of the unit tests: runs unit_suites[]; exit 0 when all passed. */
#include "unit.h"

#include <stdio.h>

int main(void)
{
	unsigned failed = 1;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	if (CU_register_suites(unit_suites) != CUE_SUCCESS) {
		fprintf(stderr, "%s\n", CU_get_error_msg());
		goto out;
	}
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures() +
		 CU_get_number_of_suites_failed() + !CU_get_number_of_asserts();
out:
	CU_cleanup_registry();
	return failed ? 1 : 0;
}

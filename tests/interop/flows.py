# SPDX-License-Identifier: BSD-2-Clause
"""All rows, in the order of the matrix."""

import rows_client  # noqa: F401
import rows_hand  # noqa: F401
import rows_token  # noqa: F401
import rows_ue  # noqa: F401
import rows_partner  # noqa: F401
import rows_primary  # noqa: F401
import rows_chain  # noqa: F401
import rows_gateway  # noqa: F401
import rows_sipp  # noqa: F401
from world import rows

__all__ = ['rows']

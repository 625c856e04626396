# SPDX-License-Identifier: BSD-2-Clause
"""Each row of the matrix passes, and doc/interop.md says so."""

import flows
import pytest
import table


@pytest.mark.parametrize('row', flows.rows, ids=lambda row: row.name)
def test_row(results, row):
    assert not results[row], results[row]


def test_names_are_single():
    """Else a row would hide another one in the table."""
    names = [row.name for row in flows.rows]
    assert len(set(names)) == len(names)


def test_document_has_what_ran(results):
    """If not: tests/interop/matrix --write"""
    assert table.split_document()[1] == table.markdown(results)

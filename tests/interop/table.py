# SPDX-License-Identifier: BSD-2-Clause
"""The matrix as Markdown, and its place in doc/interop.md."""

import labs

DOCUMENT = labs.ROOT / 'doc/interop.md'
BEGIN = '<!-- Written by tests/interop/matrix --write. -->\n'
END = '<!-- End of what it writes. -->\n'
TRANSPORTS = ('UDP', 'TCP', 'TLS')


def cells(results, chosen):
    """Of each transport: pass, FAIL or nothing."""
    found = {row.transport: 'FAIL' if results[row] else 'pass'
             for row in chosen}
    return [found.get(transport, '') for transport in TRANSPORTS]


def by(rows, key):
    """{key of a row: rows}, in their order."""
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def line(*fields):
    return f'| {" | ".join(map(str, fields))} |\n'


def count(results, rows):
    good = sum(not results[row] for row in rows)
    return f'{good} of {len(rows)}' if rows else ''


def render(results):
    pairs = by(results, lambda row: row.pair)
    yield '\n' + line('who with whom', *TRANSPORTS)
    yield line(*['---'] * (1 + len(TRANSPORTS)))
    for pair, rows in pairs.items():
        yield line(pair, *(count(results, [
            row for row in rows if row.transport == transport])
            for transport in TRANSPORTS))
    for pair, rows in pairs.items():
        yield f'\n### {pair}\n\n'
        yield line('flow', *TRANSPORTS)
        yield line(*['---'] * (1 + len(TRANSPORTS)))
        for flow, chosen in by(rows, lambda row: row.flow).items():
            yield line(flow, *cells(results, chosen))
    yield '\n'


def markdown(results):
    return ''.join(render(results))


def split_document():
    """What stands before the table, the table, and what stands after it."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    return before + BEGIN, table, END + after


def write_document(results):
    before, _, after = split_document()
    DOCUMENT.write_text(before + markdown(results) + after)

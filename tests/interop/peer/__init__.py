# SPDX-License-Identifier: BSD-2-Clause
"""MC service client, servers and gateway, written from doc/protocol.md and
RFC 3261 alone: nothing here knows how mcmig does it. State is in memory."""

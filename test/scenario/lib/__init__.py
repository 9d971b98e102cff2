# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the scenarios are told with: hosts of their own, real servers, clients, a running junctord."""

# SPDX-License-Identifier: Apache-2.0
"""Real daemons in network namespaces: what scenarios and interop tests are written with."""

"""The daemon: everything that touches the world."""

import gc

# Starting makes a hundred thousand objects that stay; at its default of 700 the collector walks them again and again (40 ms).
gc.set_threshold(20_000, 20, 20)

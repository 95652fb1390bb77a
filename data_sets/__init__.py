"""The measuring sets as they lie on disk, and their scorer: what training and benchmarks both read.

Neither imports the other; both import from here, and here nothing is imported of them. The name
is not `datasets`: from this folder that would stand in the way of the library of that name, which
accelerate and transformers import where they find it.
"""

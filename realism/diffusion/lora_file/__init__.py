"""LoRA files of every tool: what each tensor is, which layer it changes, and by how much.

`keys` tells a tensor's layer from its role, `spellings` knows what other tools call our layers,
`forms` turns a layer's tensors into a change of its weight, `read` does all three for a file and
refuses what it cannot do whole, `merge` puts changes on weights and takes them off, `kohya` writes.
"""
